"""Points as the caller's own: checked against the collection's schema, written, read back."""

"""Collections, aliases, profiles and payload indexes: what exists and how it is made."""

"""Which adapter serves which port: the only rooms that import adapters. No feature is decided here."""

"""Floor 0: nouns and rules that two features or more share. Standard library and msgspec only; no I/O, no clock."""

"""The numbers of all-MiniLM-L6-v2, as published in its configuration."""

MODEL = "all-MiniLM-L6-v2"
DIMENSION = 384
LAYERS = 6
HEADS = 12
TOKENS_MAX = 256
"""Where the model truncates, the two special tokens included."""
SPECIAL_TOKENS = 2
"""[CLS] and [SEP], around every text."""

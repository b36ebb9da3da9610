"""An estimate of tokens for models whose tokenizer is not here. Pure."""

import re
from itertools import islice

_PIECE = re.compile(r"[A-Za-z]{1,4}|[0-9]{1,3}|[^\sA-Za-z0-9]")


def estimate_tokens(text: str) -> int:
    """How many tokens `text` has at most, as a rule; an estimate, not a bound.

    A token each: up to four Latin letters, up to three digits, any other character but white space. Byte-pair vocabularies
    need fewer for prose (English: about 0.7 of this) and for code, and more only for rare scripts and emoji.
    """
    return sum(1 for _ in _PIECE.finditer(text))


def truncate(text: str, tokens_max: int) -> str:
    """The longest beginning of `text` with `tokens_max` estimated tokens."""
    beyond = next(islice(_PIECE.finditer(text), tokens_max, None), None)
    return text if beyond is None else text[: beyond.start()]

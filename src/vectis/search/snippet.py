"""The piece of a chunk that shows why it was found, with the matched words marked. Pure."""

import re
from collections.abc import Callable
from html import escape

WORDS_MAX = 32
_WORD = re.compile(r"\w+")

TermOf = Callable[[str], int | None]
"""The BM25 term of a word; None for a stop word."""


def snippet(text: str, terms: frozenset[int], term_of: TermOf) -> str:
    """The window of at most 32 words with the most distinct terms of the query (the earliest of equals).

    HTML-escaped, matched words in <mark>, cut ends shown by "...". A text without a match gives its beginning.
    """
    words = list(_WORD.finditer(text))
    if not words:
        return escape(text[:200])
    found = [term if (term := term_of(word.group())) in terms else None for word in words]
    start = _best_piece(found)
    end = min(start + WORDS_MAX, len(words))
    pieces: list[str] = ["… "] if start else []
    position = words[start].start() if start else 0
    for word, term in zip(words[start:end], found[start:end], strict=True):
        if term is not None:
            pieces += (escape(text[position : word.start()]), f"<mark>{escape(word.group())}</mark>")
            position = word.end()
    pieces += (escape(text[position : words[end - 1].end()]), " …") if end < len(words) else (escape(text[position:]),)
    return " ".join("".join(pieces).split())


def _best_piece(found: list[int | None]) -> int:
    inside: dict[int, int] = {}
    best, best_start = 0, 0
    for i, term in enumerate(found):
        if term is not None:
            inside[term] = inside.get(term, 0) + 1
        gone = found[i - WORDS_MAX] if i >= WORDS_MAX else None
        if gone is not None:
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
        if len(inside) > best:
            best, best_start = len(inside), max(0, i - WORDS_MAX + 1)
    return _begin_before(found, best_start) if best else 0


def _begin_before(found: list[int | None], start: int) -> int:
    """Move a window that ends with its last match so that the matches stand nearer its middle."""
    first = next(i for i in range(start, len(found)) if found[i] is not None)
    return min(first, max(start, first - WORDS_MAX // 4))

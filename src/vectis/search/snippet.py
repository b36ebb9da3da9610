"""The piece of a chunk that shows why it was found, with the matched words marked. Pure."""

import re
from collections.abc import Callable, Sequence
from html import escape

WORDS_MAX = 32
_WORD = re.compile(r"(\w+)")

TermOf = Callable[[str], int | None]
"""The BM25 term of a word; None for a stop word."""


def snippet(text: str, terms: frozenset[int], term_of: TermOf) -> str:
    """The window of at most 32 words with the most distinct terms of the query (the earliest of equals).

    HTML-escaped, matched words in <mark>, cut ends shown by "...". A text without a match gives its beginning.
    """
    pieces = _WORD.split(text)  # words at odd places, what is between them at even ones
    words = pieces[1::2]
    if not words:
        return escape(text[:200])
    matched = [(word, term) for word, term in enumerate(map(term_of, words)) if term in terms]
    start = _best_start(matched)
    end = min(start + WORDS_MAX, len(words))
    at, stop = 2 * start + (start > 0), 2 * end + (end == len(words))
    shown = ["… "] if start else []
    for word, _ in matched:
        if start <= word < end:
            place = 2 * word + 1
            shown += (escape("".join(pieces[at:place])), f"<mark>{pieces[place]}</mark>")
            at = place + 1
    shown += (escape("".join(pieces[at:stop])), " …" if end < len(words) else "")
    return " ".join("".join(shown).split())


def _best_start(matched: Sequence[tuple[int, int | None]]) -> int:
    """The first word of the window, from the places and terms of the matched words."""
    last: dict[int | None, int] = {}
    first = best = best_start = 0
    for word, term in matched:
        last[term] = word
        while matched[first][0] <= word - WORDS_MAX:
            first += 1
        distinct = sum(place > word - WORDS_MAX for place in last.values())
        if distinct > best:
            best = distinct
            # so that the matches stand nearer the middle of a window that ends with its last match
            best_start = max(0, word - WORDS_MAX + 1, matched[first][0] - WORDS_MAX // 4)
    return best_start

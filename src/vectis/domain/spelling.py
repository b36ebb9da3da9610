"""Other spellings of compounds and numbered words, so that BM25 finds a word that someone else spells otherwise. Pure."""

import re
from collections.abc import Iterator

from vectis.domain.profiles import CollectionProfile

COMPOUND_PARTS_MAX = 3
"""More hyphens make a file name or an address, which nobody writes in one word."""

_HYPHENS = "-\u2010\u2011"
# Each begins where a run of letters and digits begins, so that a long one is looked at once.
_COMPOUND = re.compile(rf"(?<![^\W_])[^\W_]+(?:[{_HYPHENS}][^\W_]+)+")
_NUMBERED = re.compile(r"(?<![^\W\d_])[^\W\d_]{2,}(?=\d)|(?<=\d)[^\W\d_]{2,}")
_JOINED = str.maketrans("", "", _HYPHENS)


def words_of(profile: CollectionProfile, text: str) -> str:
    """What BM25 is given of a text, or of a query, in a collection of `profile`."""
    return with_spellings(text) if profile.spellings else text


def with_spellings(text: str) -> str:
    """`text` and after it the other spellings of its words, each as often as the word.

    A compound of two or three parts in one word (`IL-6`: `IL6`), and the letters of a word with digits (`Python3`: `Python`), two
    letters at least.
    """
    return " ".join([text, *_compounds(text), *_NUMBERED.findall(text)])


def _compounds(text: str) -> Iterator[str]:
    for match in _COMPOUND.finditer(text):
        joined = match.group().translate(_JOINED)
        if len(match.group()) - len(joined) < COMPOUND_PARTS_MAX:
            yield joined

"""Snippets: the best window, marked, escaped."""

from hypothesis import given
from hypothesis import strategies as st

from vectis.search.snippet import WORDS_MAX, snippet

WORDS = {"vector": 1, "vectors": 1, "search": 2, "engine": 3}


def term_of(word: str) -> int | None:
    return WORDS.get(word.lower())


def test_matched_words_are_marked_whatever_their_ending() -> None:
    shown = snippet("Vectors are compared; a vector wins.", frozenset({1}), term_of)
    assert shown == "<mark>Vectors</mark> are compared; a <mark>vector</mark> wins."


def test_text_is_escaped() -> None:
    shown = snippet("<b>search</b> & more", frozenset({2}), term_of)
    assert shown == "&lt;b&gt;<mark>search</mark>&lt;/b&gt; &amp; more"


def test_the_window_with_most_distinct_terms_wins() -> None:
    text = "vector " * 40 + "filler " * 60 + "the search engine ends here " + "tail " * 60
    shown = snippet(text, frozenset({2, 3}), term_of)
    assert "<mark>search</mark> <mark>engine</mark>" in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")


def test_without_a_match_the_beginning_is_shown() -> None:
    assert snippet("nothing of it here", frozenset({1}), term_of) == "nothing of it here"
    assert snippet("", frozenset({1}), term_of) == ""


@given(st.lists(st.sampled_from(["vector", "search", "x", "<", "y.", "…"]), max_size=200))
def test_never_more_words_than_the_window_and_always_balanced_marks(words: list[str]) -> None:
    shown = snippet(" ".join(words), frozenset({1, 2}), term_of)
    assert shown.count("<mark>") == shown.count("</mark>") <= WORDS_MAX
    assert "<" not in shown.replace("<mark>", "").replace("</mark>", "")

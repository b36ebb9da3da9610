"""The engine's BM25 through our port: weights by the formula, counts, terms, and the words it sees."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.adapters.edge.bm25 import EdgeBm25

bm25 = EdgeBm25()


def weights(text: str, avg_len: float = 60) -> dict[int, float]:
    vector = bm25.encode_document(text, avg_len)
    return dict(zip(vector.indices, vector.values, strict=True))


def test_document_weights_follow_the_formula():
    text = "lever lever fulcrum engine"
    found = weights(text, avg_len=8)
    for word, count in (("lever", 2), ("fulcrum", 1), ("engine", 1)):
        expected = count * 2.2 / (count + 1.2 * (0.25 + 0.75 * 4 / 8))
        assert found[bm25.term(word)] == pytest.approx(expected, rel=1e-6)


def test_a_longer_average_raises_the_weights():
    term = bm25.term("lever")
    assert weights("lever", 200)[term] > weights("lever", 20)[term]


@pytest.mark.parametrize("avg_len", [0.0, -3.0, 0.4, math.nan])
def test_an_average_below_one_means_one(avg_len):
    assert weights("lever fulcrum", avg_len) == weights("lever fulcrum", 1.0)


def test_query_terms_weigh_one_each():
    vector = bm25.encode_query("lever levers fulcrum the")
    assert sorted(vector.indices) == sorted([bm25.term("lever"), bm25.term("fulcrum")])
    assert vector.values == [1.0, 1.0]


@pytest.mark.parametrize("text", ["", "the of and", "!?", "don't"])
def test_nothing_is_left_of_stop_words_and_signs(text):
    assert bm25.encode_query(text).indices == []
    assert bm25.encode_document(text, 60).indices == []
    assert (bm25.length(text), bm25.term(text)) == (0, None)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("lever", 1),
        ("the lever of the fulcrum", 2),
        ("lever " * 100_000, 100_000),
        ("lever fulcrum engine " * 3_000, 9_000),
    ],
)
def test_length_counts_tokens_after_stop_words(text, length):
    assert bm25.length(text) == length


@given(st.lists(st.sampled_from(["lever", "fulcrum", "engine", "the", "naïve", "日本語", "k8s"]), max_size=300))
def test_length_is_the_number_of_words_that_are_no_stop_words(words):
    assert bm25.length(" ".join(words)) == sum(word != "the" for word in words)


@given(st.text(max_size=40))
def test_a_term_is_what_the_query_encoder_gives(word):
    indices = bm25.encode_query(word).indices
    assert bm25.term(word) == (min(indices) if indices else None)


@given(st.text(max_size=200))
def test_documents_and_queries_see_the_same_terms(text):
    document = bm25.encode_document(text, 60)
    assert set(document.indices) == set(bm25.encode_query(text).indices)
    assert len(set(document.indices)) == len(document.indices)


@pytest.mark.parametrize(
    ("word", "same_as", "same"),
    [
        ("Running", "run", True),
        ("ÉCOLE", "école", True),
        ("naïve", "naive", False),
        ("CamelCase", "camel", False),
        ("ＡＢＣ", "abc", False),
        ("C++", "c#", True),
        ("日本語", "日本", False),
    ],
)
def test_words_are_folded_as_documented(word, same_as, same):
    assert bm25.term(word) is not None
    assert (bm25.term(word) == bm25.term(same_as)) is same


@pytest.mark.parametrize("text", ["foo_bar", "foo.bar", "foo-bar", "foo/bar"])
def test_signs_cut_words(text):
    assert bm25.encode_query(text) == bm25.encode_query("foo bar")


def test_a_lone_surrogate_is_no_accident():
    assert bm25.encode_query("lever \ud800").indices == [bm25.term("lever")]

"""The estimate of tokens: near for prose, never wild, and truncation agrees with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.adapters.openai.tokens import estimate_tokens, truncate


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), (" \n", 0), ("lever", 2), ("a, b", 3), ("2026", 2), ("日本語", 3), ("naïve", 3)]
)
def test_pieces_are_counted(text, tokens):
    assert estimate_tokens(text) == tokens


@given(st.text(max_size=300), st.integers(0, 50))
def test_a_truncated_text_is_the_longest_beginning_within_the_bound(text, tokens_max):
    cut = truncate(text, tokens_max)
    assert text.startswith(cut)
    assert estimate_tokens(cut) == min(tokens_max, estimate_tokens(text))

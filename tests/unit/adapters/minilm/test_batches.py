"""Every text in one batch, little padding, bounded size."""

from hypothesis import given
from hypothesis import strategies as st

from vectis.adapters.minilm.batches import PADDING_MAX, batches


@given(st.lists(st.integers(2, 256), max_size=200), st.integers(1, 2048))
def test_each_place_once_within_the_bounds(lengths, tokens_max):
    groups = batches(lengths, tokens_max)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[place] for place in group)
        assert len(group) == 1 or len(group) * longest <= tokens_max
        assert all(longest - lengths[place] <= PADDING_MAX for place in group)


def test_like_lengths_run_together_longest_first():
    assert batches([10, 200, 12, 198], 512) == [[1, 3], [2, 0]]

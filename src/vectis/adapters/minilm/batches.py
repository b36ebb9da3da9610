"""Which texts run together. Pure."""

from collections.abc import Sequence

PADDING_MAX = 16
"""Tokens: padding one text by more costs as much time as a run of its own, whose fixed part is reading the weights."""


def batches(lengths: Sequence[int], tokens_max: int) -> list[list[int]]:
    """Places of `lengths` in groups of like length, longest first; each place stands in one group.

    A group's size with padding (texts x longest) is at most `tokens_max`, unless it is one text that is longer alone.
    """
    groups: list[list[int]] = []
    longest = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        fits = groups and (len(groups[-1]) + 1) * longest <= tokens_max and longest - lengths[place] <= PADDING_MAX
        if fits:
            groups[-1].append(place)
        else:
            groups.append([place])
            longest = lengths[place]
    return groups

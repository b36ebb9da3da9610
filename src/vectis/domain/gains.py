"""What one mode of search finds better than another in a collection, as it was measured."""

from datetime import datetime

from vectis.domain.profiles import Mode
from vectis.domain.shapes import Shape


class MeasuredGain(Shape, frozen=True):
    """The mean difference in nDCG@10, `mode` less `against`, over judged queries asked in both, with its 95 % interval.

    `dataset` is what the queries are called, `queries` how many there were.
    """

    mode: Mode
    against: Mode
    dataset: str
    queries: int
    difference: float
    low: float
    high: float


class Gain(MeasuredGain, frozen=True, kw_only=True):
    """A gain, who told it and when."""

    at: datetime
    author: str

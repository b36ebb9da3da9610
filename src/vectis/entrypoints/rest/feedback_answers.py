"""What callers send and get about feedback. Field names are part of the contract."""

from typing import Annotated

import msgspec

from vectis.domain.feedback import FeedbackKind
from vectis.domain.shapes import Shape


class GiveFeedback(Shape, frozen=True):
    """What a user did with a result: `query_id` is what X-Vectis-Query-Id of the answer said. A rating has a `value` from 0
    (useless) to 1 (just right), a click has none."""

    query_id: Annotated[str, msgspec.Meta(max_length=1000)]
    result_id: Annotated[str, msgspec.Meta(max_length=1000)] | int
    kind: FeedbackKind
    value: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


class FeedbackTaken(msgspec.Struct):
    """The variant that the feedback is about; `interleaved` for a result of both. Not `kept`: the routing key of the query has
    said enough."""

    alias: str
    variant: str
    kept: bool

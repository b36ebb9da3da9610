"""Between domain values and the wire: vectors in, points and results out."""

from typing import Any, cast

import msgspec

from vectis.domain.access import Caller
from vectis.domain.errors import InvalidVector
from vectis.domain.points import Dense, Point, Record, SparseVector, Vector, Vectors, dense
from vectis.domain.profiles import DENSE
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.bodies import PointBody, SparseBody
from vectis.entrypoints.rest.variants import collections_of
from vectis.search.requests import Answer, Hit, Reasons


def vector_in(value: list[float] | bytes | SparseBody, field: str) -> Vector:
    """A query vector as sent. Raises InvalidVector for NaN, infinity, or raw bytes of a wrong length."""
    if isinstance(value, SparseBody):
        return SparseVector(indices=value.indices, values=value.values)
    return dense(value, field=field)


def point_in(body: PointBody, at: str) -> Point:
    """A point as sent; a bare list is the vector named `dense`. Raises InvalidVector naming the place."""
    named: dict[str, Any] = body.vector if isinstance(body.vector, dict) else {DENSE: body.vector}
    if not named:
        raise InvalidVector(f"{at}.vector: give at least one vector", field=f"{at}.vector")
    vectors = {name: _named_vector(value, f"{at}.vector.{name}") for name, value in named.items()}
    return Point(id=body.id, vectors=vectors, payload=body.payload)


def vectors_out(vectors: Vectors | None) -> dict[str, Any] | None:
    """Dense vectors as lists of numbers, sparse ones as {indices, values}."""
    if vectors is None:
        return None
    return {name: v if isinstance(v, SparseVector) else v.tolist() for name, v in vectors.items()}


def record_out(record: Record) -> answers.PointView:
    """A stored point as shown."""
    return answers.PointView(id=record.id, payload=record.payload, vector=vectors_out(record.vectors))


def answer_out(caller: Caller, answer: Answer, *, explain: bool) -> answers.SearchAnswer:
    """An answer as shown to `caller`; stage times only when explained."""
    return answers.SearchAnswer(
        results=[_hit_out(hit) for hit in answer.hits],
        took_ms=answer.took_ms,
        degraded=list(answer.degraded),
        collection=collections_of(caller, answer),
        stages_ms=answer.stages_ms if explain else msgspec.UNSET,
        unindexed_filter=[key for key, indexed in answer.filter_keys.items() if not indexed] or msgspec.UNSET,
    )


def _hit_out(hit: Hit) -> answers.ResultView:
    return answers.ResultView(
        id=hit.id,
        score=hit.score,
        payload=hit.payload,
        vector=vectors_out(hit.vectors),
        point_id=hit.point_id,
        chunks=hit.chunks,
        snippet=hit.snippet,
        explanation=None if hit.reasons is None else _explanation(hit.reasons),
    )


def _explanation(reasons: Reasons) -> answers.Explanation:
    return answers.Explanation(
        prefetches={n: answers.PrefetchPlace(rank=p.rank, score=p.score) for n, p in reasons.places.items()},
        fusion=reasons.fusion,
        contributions=reasons.contributions,
    )


def _named_vector(value: object, field: str) -> Dense | SparseVector:
    if isinstance(value, (list, bytes)):
        try:
            return dense(cast("list[float] | bytes", value), field=field)
        except TypeError:
            raise InvalidVector(f"{field}: a dense vector is a list of numbers", field=field) from None
    try:
        body = msgspec.convert(value, SparseBody)
    except msgspec.ValidationError as error:
        raise InvalidVector(
            f"{field}: neither a list of numbers nor {{indices, values}}: {error}", field=field
        ) from None
    return SparseVector(indices=body.indices, values=body.values)

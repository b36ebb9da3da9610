"""From qdrant-client's models to the domain: records, scored points, collection state."""

from typing import Any, cast

from qdrant_client import models

from vectis.domain.points import Dense, Payload, PointId, Record, ScoredPoint, SparseVector, Vectors
from vectis.domain.queries import Selector
from vectis.domain.schema import CollectionState, PayloadIndexKind


def to_scored(point: models.ScoredPoint, with_payload: Selector, with_vectors: Selector) -> ScoredPoint:
    """A hit as the domain has it."""
    payload = _payload(point.payload, with_payload)
    return ScoredPoint(to_id(point.id), point.score, payload, _vectors(point.vector, with_vectors))


def to_record(record: models.Record, with_payload: Selector, with_vectors: Selector) -> Record:
    """A stored point as the domain has it."""
    return Record(to_id(record.id), _payload(record.payload, with_payload), _vectors(record.vector, with_vectors))


def to_id(point_id: object) -> PointId:
    """An integer, or the text of a UUID."""
    return point_id if isinstance(point_id, int) else str(point_id)


def to_state(info: models.CollectionInfo, points: int) -> CollectionState:
    """Counts and state; a payload index of a kind that the domain lacks is left out."""
    known = {kind.value: kind for kind in PayloadIndexKind}
    return CollectionState(
        points=points,
        indexed_vectors=info.indexed_vectors_count or 0,
        segments=info.segments_count,
        payload_indexes={
            key: known[index.data_type.value]
            for key, index in info.payload_schema.items()
            if index.data_type.value in known
        },
        building=info.status is not models.CollectionStatus.GREEN,
        trouble=getattr(info.optimizer_status, "error", None),
    )


def _payload(stored: Payload | None, with_payload: Selector) -> Payload | None:
    # gRPC cannot tell an empty payload from none at all, so what was asked for decides
    return None if with_payload is False else stored or {}


def _vectors(stored: object, with_vectors: Selector) -> Vectors | None:
    if with_vectors is False:
        return None
    return {
        name: SparseVector(list(vector.indices), list(vector.values))
        if isinstance(vector, models.SparseVector)
        else Dense("f", vector)
        for name, vector in cast("dict[str, Any]", stored or {}).items()
    }

"""Points of one collection copied to another that follows its writes: nothing is lost, and nothing removed comes back."""

from collections.abc import Sequence

from vectis.domain.points import Point, PointId, Record
from vectis.rollouts.surroundings import RolloutPoints

POINTS_PER_COPY = 256


async def copy_points(
    points: RolloutPoints, source: str, target: str, offset: PointId | None
) -> tuple[int, PointId | None]:
    """Copy what `target` lacks of the points of `source` from `offset` on; how many, and where the next ones begin.

    What changes in `source` while it is copied is read again, since the copy may have come after the change.
    """
    page = await points.scroll(source, limit=POINTS_PER_COPY, offset=offset, with_vectors=True)
    ids = [record.id for record in page.points]
    there = {record.id for record in await points.retrieve(target, ids, with_payload=False)}
    lacking = [record for record in page.points if record.id not in there]
    written = lacking
    while written:
        await points.upsert(target, [_point(record) for record in written])
        written = await _changed(points, source, target, written)
    return len(lacking), page.next_offset


async def _changed(points: RolloutPoints, source: str, target: str, written: Sequence[Record]) -> list[Record]:
    """Those that are other by now; what is gone from `source` is removed from `target`."""
    ids = [record.id for record in written]
    now = {record.id: record for record in await points.retrieve(source, ids, with_vectors=True)}
    gone = [id for id in ids if id not in now]
    if gone:
        await points.delete(target, gone)
    return [now[record.id] for record in written if record.id in now and now[record.id] != record]


def _point(record: Record) -> Point:
    return Point(record.id, record.vectors or {}, record.payload or {})

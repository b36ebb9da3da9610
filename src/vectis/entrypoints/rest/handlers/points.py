"""Points as the caller's own."""

from vectis.domain.errors import InvalidInput
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.operation import Call
from vectis.entrypoints.rest.wire import point_in, record_out


async def upsert(call: Call) -> answers.Upserted:
    """Insert or replace points; acknowledged when they survive a kill."""
    points = [point_in(body, f"points[{i}]") for i, body in enumerate(call.body.points)]
    return answers.Upserted(upserted=await call.services.points.upsert(call.may(call.path["collection"]), points))


async def delete(call: Call) -> answers.Deleted:
    """Remove points by id or by filter."""
    if (call.body.ids is None) == (call.body.filter is None):
        raise InvalidInput("give exactly one of ids and filter", field="ids")
    if call.body.ids is not None:
        await call.services.points.delete(call.may(call.path["collection"]), call.body.ids)
    else:
        await call.services.points.delete_matching(call.may(call.path["collection"]), call.body.filter)
    return answers.Deleted()


async def get_one(call: Call) -> answers.PointView:
    """One point with payload and vectors."""
    text = call.path["id"]
    return record_out(
        await call.services.points.get(call.may(call.path["collection"]), int(text) if text.isdecimal() else text)
    )


async def get(call: Call) -> answers.PointList:
    """Points by id, in the order asked for; absent ones are left out."""
    records = await call.services.points.retrieve(
        call.may(call.path["collection"]),
        call.body.ids,
        with_payload=call.body.with_payload,
        with_vectors=call.body.with_vectors,
    )
    return answers.PointList(points=[record_out(record) for record in records])


async def scroll(call: Call) -> answers.PointPage:
    """A page of points in id order."""
    page = await call.services.points.scroll(
        call.may(call.path["collection"]),
        limit=call.body.limit,
        offset=call.body.offset,
        filter=call.body.filter,
        with_payload=call.body.with_payload,
        with_vectors=call.body.with_vectors,
    )
    return answers.PointPage(points=[record_out(record) for record in page.points], next_offset=page.next_offset)


async def count(call: Call) -> answers.Count:
    """How many points match, exactly."""
    return answers.Count(count=await call.services.points.count(call.may(call.path["collection"]), call.body.filter))

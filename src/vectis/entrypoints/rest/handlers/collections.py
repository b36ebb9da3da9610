"""Collections, payload indexes, aliases and profiles."""

from collections.abc import Sequence

from msgspec.structs import replace

from vectis.catalog.profiles import DOCUMENT, VECTORS, Wishes
from vectis.catalog.service import Described
from vectis.domain.errors import InvalidInput
from vectis.domain.gains import Gain
from vectis.domain.measurements import FilterUse
from vectis.domain.rollouts import CandidateBuild
from vectis.domain.routes import Route
from vectis.entrypoints.rest import answers, bodies
from vectis.entrypoints.rest.operation import Call, Reply


async def create(call: Call) -> answers.CollectionDetail:
    """Create a collection; without vectors it holds documents."""
    body = call.body
    if body.like is not None:
        return await _create_like(call, body, body.like)
    own_vectors = body.vectors is not None or body.sparse_vectors is not None
    wishes = Wishes(
        dense=body.vectors,
        sparse=body.sparse_vectors,
        hnsw=body.hnsw,
        quantization=body.quantization,
        optimizers=body.optimizers,
        payload_indexes=body.payload_indexes,
        embedding=body.embedding,
        chunking=body.chunking,
        search=body.search,
        spellings=body.spellings,
    )
    profile = body.profile or (VECTORS if own_vectors else DOCUMENT)
    return _detail(call, await call.services.catalog.create(call.may(body.name), profile, wishes), {})


async def _create_like(call: Call, body: bodies.CreateCollection, like: str) -> answers.CollectionDetail:
    given = [name for name in ("profile", "vectors", "sparse_vectors") if getattr(body, name) is not None]
    if given:
        raise InvalidInput(f"{given[0]}: it is that of the collection named by like", field=given[0])
    build = CandidateBuild(**{name: getattr(body, name) for name in CandidateBuild.__struct_fields__})
    return _detail(call, await call.services.catalog.clone(call.may(body.name), call.may(like), build), {})


async def list_all(call: Call) -> answers.CollectionList:
    """All collections, by name, or the deleted ones."""
    deleted = call.query.deleted
    return answers.CollectionList(
        collections=[
            answers.CollectionSummary(
                name=call.caller.own_name(d.collection.name),
                profile=d.collection.profile.name,
                created_at=d.collection.created_at,
                points=d.state.points,
                deleted_at=None if d.collection.deletion is None else d.collection.deletion.at,
                removal_at=None if d.collection.deletion is None else d.collection.deletion.due_at,
            )
            for d in await call.services.catalog.collections(call.may_all(), deleted=deleted)
        ]
    )


async def describe(call: Call) -> answers.CollectionDetail:
    """One collection, by its name or an alias."""
    by = call.may(call.path["collection"])
    described = await call.services.catalog.describe(by)
    filters = await call.services.filter_uses(described.collection.name)
    return _detail(call, described, filters, await call.services.evaluation.gains(by))


async def keep_gain(call: Call) -> Gain:
    """Keep what a mode of search was measured to gain over another."""
    return await call.services.evaluation.keep(call.may(call.path["collection"]), call.body)


async def delete(call: Call) -> answers.CollectionDeleted:
    """Delete a collection with its documents and points: hidden now, removed after the grace."""
    by = call.may(call.path["collection"])
    deletion = await call.services.catalog.delete(by, grace_minutes=call.query.grace_minutes)
    return answers.CollectionDeleted(removal_at=deletion.due_at, job_id=deletion.job_id)


async def undelete(call: Call) -> answers.CollectionDetail:
    """Take a deletion back while its grace lasts."""
    return _detail(call, await call.services.catalog.undelete(call.may(call.path["collection"])), {})


async def optimize(call: Call) -> answers.Optimized | Reply:
    """Build what is unindexed: now with `wait=true`, else as a job."""
    by = call.may(call.path["collection"])
    if call.query.wait:
        return answers.Optimized(optimized=await call.services.catalog.optimize(by))
    return Reply(answers.Optimized(job_id=await call.services.catalog.optimize_later(by)), 202)


async def create_index(call: Call) -> answers.Created:
    """Index a payload key."""
    await call.services.catalog.create_index(call.may(call.path["collection"]), call.body.key, call.body.kind)
    return answers.Created()


async def list_aliases(call: Call) -> answers.AliasList:
    """All aliases, by name."""
    return answers.AliasList(
        aliases=[_alias(call, route) for route in await call.services.catalog.aliases(call.may_all())]
    )


async def set_alias(call: Call) -> answers.AliasView:
    """Point an alias at a collection, in one atomic change."""
    return _alias(
        call, await call.services.catalog.set_alias(call.may(call.path["alias"]), call.may(call.body.collection))
    )


async def delete_alias(call: Call) -> answers.Deleted:
    """Remove an alias; its collection stays."""
    await call.services.catalog.delete_alias(call.may(call.path["alias"]))
    return answers.Deleted()


async def list_profiles(call: Call) -> answers.ProfileList:
    """The recipes that collections are created from."""
    return answers.ProfileList(profiles=call.services.catalog.profiles(call.may_all()))


def _alias(call: Call, route: Route) -> answers.AliasView:
    targets = [replace(target, collection=call.caller.own_name(target.collection)) for target in route.targets]
    return answers.AliasView(alias=call.caller.own_name(route.alias), targets=targets, version=route.version)


def _detail(
    call: Call, described: Described, filters: dict[str, FilterUse], gains: Sequence[Gain] = ()
) -> answers.CollectionDetail:
    collection, state = described.collection, described.state
    return answers.CollectionDetail(
        name=call.caller.own_name(collection.name),
        created_at=collection.created_at,
        profile=collection.profile,
        points=state.points,
        indexed_vectors=state.indexed_vectors,
        segments=state.segments,
        building=state.building,
        trouble=state.trouble,
        payload_indexes=state.payload_indexes,
        bm25_avg_len=collection.bm25.avg_len if collection.bm25 else None,
        aliases=[call.caller.own_name(alias) for alias in described.aliases],
        missed_writes=described.missed.missed if described.missed else 0,
        filters=filters,
        gains=list(gains),
    )

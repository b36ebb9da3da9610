"""Collections, payload indexes, aliases and profiles."""

from uuid import uuid4

from vectis.catalog.jobs import OPTIMIZE
from vectis.catalog.profiles import DOCUMENT, VECTORS, Wishes
from vectis.catalog.service import Described
from vectis.domain.jobs import Job, JobState
from vectis.domain.routes import Route
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.operation import Call, Reply


async def create(call: Call) -> answers.CollectionDetail:
    """Create a collection; without vectors it holds documents."""
    body = call.body
    own_vectors = body.vectors is not None or body.sparse_vectors is not None
    wishes = Wishes(
        dense=body.vectors,
        sparse=body.sparse_vectors,
        hnsw=body.hnsw,
        quantization=body.quantization,
        optimizers=body.optimizers,
        payload_indexes=body.payload_indexes,
        chunking=body.chunking,
    )
    profile = body.profile or (VECTORS if own_vectors else DOCUMENT)
    return _detail(await call.services.catalog.create(body.name, profile, wishes))


async def list_all(call: Call) -> answers.CollectionList:
    """All collections, by name."""
    return answers.CollectionList(
        collections=[
            answers.CollectionSummary(
                name=d.collection.name,
                profile=d.collection.profile.name,
                created_at=d.collection.created_at,
                points=d.state.points,
            )
            for d in await call.services.catalog.collections()
        ]
    )


async def describe(call: Call) -> answers.CollectionDetail:
    """One collection, by its name or an alias."""
    return _detail(await call.services.catalog.describe(call.path["collection"]))


async def delete(call: Call) -> answers.Deleted:
    """Delete a collection with its documents and points."""
    await call.services.catalog.delete(call.path["collection"])
    return answers.Deleted()


async def optimize(call: Call) -> answers.Optimized | Reply:
    """Build what is unindexed: now with `wait=true`, else as a job."""
    catalog, name = call.services.catalog, call.path["collection"]
    if call.query.wait:
        return answers.Optimized(optimized=await catalog.optimize(name))
    collection = (await catalog.describe(name)).collection.name
    job = Job(id=uuid4().hex, kind=OPTIMIZE, state=JobState.PENDING, payload={"collection": collection})
    await call.services.ledger.record_job(job)
    await call.services.queue.submit(job)
    return Reply(answers.Optimized(job_id=job.id), 202)


async def create_index(call: Call) -> answers.Created:
    """Index a payload key."""
    await call.services.catalog.create_index(call.path["collection"], call.body.key, call.body.kind)
    return answers.Created()


async def list_aliases(call: Call) -> answers.AliasList:
    """All aliases, by name."""
    return answers.AliasList(aliases=[_alias(route) for route in await call.services.catalog.aliases()])


async def set_alias(call: Call) -> answers.AliasView:
    """Point an alias at a collection, in one atomic change."""
    return _alias(await call.services.catalog.set_alias(call.path["alias"], call.body.collection))


async def delete_alias(call: Call) -> answers.Deleted:
    """Remove an alias; its collection stays."""
    await call.services.catalog.delete_alias(call.path["alias"])
    return answers.Deleted()


async def list_profiles(call: Call) -> answers.ProfileList:
    """The recipes that collections are created from."""
    return answers.ProfileList(profiles=call.services.catalog.profiles())


def _alias(route: Route) -> answers.AliasView:
    return answers.AliasView(alias=route.alias, targets=list(route.targets), version=route.version)


def _detail(described: Described) -> answers.CollectionDetail:
    collection, state = described.collection, described.state
    return answers.CollectionDetail(
        name=collection.name,
        created_at=collection.created_at,
        profile=collection.profile,
        points=state.points,
        indexed_vectors=state.indexed_vectors,
        segments=state.segments,
        building=state.building,
        payload_indexes=state.payload_indexes,
        bm25_avg_len=collection.bm25.avg_len if collection.bm25 else None,
        aliases=list(described.aliases),
    )

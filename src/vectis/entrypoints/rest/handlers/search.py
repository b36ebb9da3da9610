"""Questions in words and as vectors. The vector route is the hot path of the server."""

import structlog

from vectis.domain.feedback import Draft
from vectis.domain.points import dense
from vectis.domain.queries import SearchParams
from vectis.domain.routes import INTERLEAVED, Routing
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.bodies import ExampleBody, VectorSearchBody
from vectis.entrypoints.rest.operation import Call
from vectis.entrypoints.rest.variants import QUERY_ID, answered_by
from vectis.entrypoints.rest.wire import answer_out, vector_in
from vectis.runtime.telemetry import request_id_var
from vectis.search.requests import Example, SimilarSearch, TextSearch, VectorSearch

log = structlog.stdlib.get_logger("vectis.search")


async def text(call: Call) -> answers.SearchAnswer:
    """Search documents by words: as the collection's profile ranks, by plain hybrid fusion, or by one kind of vector."""
    body = call.body
    answer = await call.services.search.search_text(
        call.may(body.collection),
        TextSearch(
            query=body.query,
            mode=body.mode,
            limit=body.limit,
            offset=body.offset,
            filter=body.filter,
            score_threshold=body.score_threshold,
            group=body.group,
            diversity=body.diversity,
            with_payload=body.with_payload,
            with_vectors=body.with_vectors,
            explain=body.explain,
            overrides=body.settings,
            routing=call.routing,
        ),
    )
    call.headers |= answered_by(call.caller, body.collection, answer)
    if answer.draft is not None:
        call.headers |= await _drafted(call, answer.draft, answer.route_version)
    log.info(
        "search_request",
        query=body.query,
        collection=body.collection,
        mode=body.mode,
        correlation_id=request_id_var.get(),
        user_id=call.caller.name,
        results=len(answer.hits),
        took_ms=answer.took_ms,
        degraded=answer.degraded,
    )
    return answer_out(call.caller, answer, explain=body.explain)


async def similar(call: Call) -> answers.SearchAnswer:
    """What is like examples and not like others."""
    body = call.body
    answer = await call.services.search.similar(
        call.may(body.collection),
        SimilarSearch(
            positive=_examples(body.positive, "positive"),
            negative=_examples(body.negative, "negative"),
            using=body.using,
            limit=body.limit,
            offset=body.offset,
            filter=body.filter,
            score_threshold=body.score_threshold,
            group=body.group,
            diversity=body.diversity,
            with_payload=body.with_payload,
            with_vectors=body.with_vectors,
            explain=body.explain,
            overrides=body.settings,
            routing=call.routing,
        ),
    )
    call.headers |= answered_by(call.caller, body.collection, answer)
    return answer_out(call.caller, answer, explain=body.explain)


async def vector(call: Call) -> answers.SearchAnswer:
    """The points nearest to a vector."""
    request = _vector_search(call.body, "query_vector", call.routing)
    return await _nearest(call, call.body.collection, request)


async def raw_vector(call: Call) -> answers.SearchAnswer:
    """The same with a body of raw little-endian float32."""
    query = call.query
    request = VectorSearch(
        vector=dense(call.body, field="body"),
        using=query.using,
        limit=query.limit,
        offset=query.offset,
        with_payload=query.with_payload,
        routing=call.routing,
    )
    return await _nearest(call, query.collection, request)


async def vector_batch(call: Call) -> answers.SearchAnswers:
    """Several vector searches in one request, answered in order."""
    searches = [
        (call.may(body.collection), _vector_search(body, f"searches[{i}].query_vector", call.routing))
        for i, body in enumerate(call.body.searches)
    ]
    found = await call.services.search.search_vectors(searches)
    said = [answered_by(call.caller, body.collection, a) for body, a in zip(call.body.searches, found, strict=True)]
    if all(each == said[0] for each in said):  # headers have no room for several
        call.headers |= said[0]
    return answers.SearchAnswers(answers=[answer_out(call.caller, answer, explain=False) for answer in found])


async def _drafted(call: Call, draft: Draft, route_version: int) -> dict[str, str]:
    """The header whose id says whose pick each result was."""
    query_id = await call.services.feedback.offer(
        call.may(call.body.collection),
        route_version=route_version,
        variant=INTERLEAVED,
        routing=call.routing,
        draft=draft,
    )
    return {} if query_id is None else {QUERY_ID: query_id}


def _examples(bodies: list[ExampleBody], field: str) -> tuple[Example, ...]:
    return tuple(
        Example(body.id, body.text, None if body.vector is None else dense(body.vector, field=f"{field}[{i}].vector"))
        for i, body in enumerate(bodies)
    )


async def _nearest(call: Call, name: str, request: VectorSearch) -> answers.SearchAnswer:
    answer = await call.services.search.search_vector(call.may(name), request)
    call.headers |= answered_by(call.caller, name, answer)
    return answer_out(call.caller, answer, explain=False)


def _vector_search(body: VectorSearchBody, field: str, routing: Routing) -> VectorSearch:
    params = None
    if body.exact or body.hnsw_ef is not None or body.rescore is not None or body.oversampling is not None:
        params = SearchParams(
            hnsw_ef=body.hnsw_ef, exact=body.exact, rescore=body.rescore, oversampling=body.oversampling
        )
    return VectorSearch(
        vector=vector_in(body.query_vector, field),
        using=body.using,
        limit=body.limit,
        offset=body.offset,
        filter=body.filter,
        params=params,
        score_threshold=body.score_threshold,
        with_payload=body.with_payload,
        with_vectors=body.with_vectors,
        routing=routing,
    )

"""Questions in words and as vectors. The vector route is the hot path of the server."""

import structlog

from vectis.domain.points import dense
from vectis.domain.queries import SearchParams
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.bodies import VectorSearchBody
from vectis.entrypoints.rest.operation import Call
from vectis.entrypoints.rest.wire import answer_out, vector_in
from vectis.runtime.telemetry import request_id_var
from vectis.search.requests import TextSearch, VectorSearch

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
            with_payload=body.with_payload,
            with_vectors=body.with_vectors,
            explain=body.explain,
            overrides=body.settings,
        ),
    )
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


async def vector(call: Call) -> answers.SearchAnswer:
    """The points nearest to a vector."""
    by, request = call.may(call.body.collection), _vector_search(call.body, "query_vector")
    return answer_out(call.caller, await call.services.search.search_vector(by, request), explain=False)


async def raw_vector(call: Call) -> answers.SearchAnswer:
    """The same with a body of raw little-endian float32."""
    query = call.query
    by = call.may(query.collection)
    request = VectorSearch(
        vector=dense(call.body, field="body"),
        using=query.using,
        limit=query.limit,
        offset=query.offset,
        with_payload=query.with_payload,
    )
    return answer_out(call.caller, await call.services.search.search_vector(by, request), explain=False)


async def vector_batch(call: Call) -> answers.SearchAnswers:
    """Several vector searches in one request, answered in order."""
    searches = [
        (call.may(body.collection), _vector_search(body, f"searches[{i}].query_vector"))
        for i, body in enumerate(call.body.searches)
    ]
    found = await call.services.search.search_vectors(searches)
    return answers.SearchAnswers(answers=[answer_out(call.caller, answer, explain=False) for answer in found])


def _vector_search(body: VectorSearchBody, field: str) -> VectorSearch:
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
    )

"""The endpoint of an operation whose answers are kept: found by the bytes of the request, before anything is decoded."""

from time import perf_counter, time

import msgspec
from starlette.types import Receive, Scope, Send

from vectis.domain.access import Caller
from vectis.domain.ports.answers import AnswerCache, KeptAnswer, Question, Served
from vectis.domain.routes import Routing
from vectis.entrypoints.rest.operation import Call, Endpoint, Handler, media, read, respond
from vectis.entrypoints.rest.variants import QUERY_ID, routing_of

_HIT, _MISS = "hit", "miss"


class KeepingEndpoint(Endpoint):
    """Answers as Endpoint does, and says in `x-cache` whether the answer was kept, in `age` for how many seconds.

    A request with `cache-control: no-cache` or `no-store` is answered anew and its answer not kept. Who may not read the
    collection is refused as ever: a kept answer is given only with a pass.
    """

    async def _answer(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        cache = self._services.answers
        if cache is None or _wants_anew(scope):
            await super()._answer(caller, scope, receive, send)
            return
        content_type, accept = media(scope)
        content = await read(receive, self._services.body_bytes_max)
        form = f"{self.operation.name} {content_type} {accept}"
        asked = Question(form, caller.tenant, scope["query_string"], content)
        answer, kept = await self._kept(cache, asked, caller, scope, content_type, accept)
        headers = {"x-cache": _HIT if kept else _MISS, **answer.headers}
        headers |= await self.offered(caller, scope, answer.headers)
        if kept:
            headers["age"] = str(max(0, int(time() - answer.made_at)))
        await respond(
            send, self.operation.status, answer.body, answer.content_type, scope["vectis.request_id"], headers
        )

    async def _kept(
        self, cache: AnswerCache, asked: Question, caller: Caller, scope: Scope, content_type: str, accept: str
    ) -> Served:
        frame = {"query_string": asked.query_string, "path_params": scope["path_params"]}
        name = cache.name_in(asked)
        if name is None:
            handler, call = self.call(caller, frame, asked.content, content_type)
            name = str((call.body if call.query is None else call.query).collection)
            may = call.may(name)
        else:
            handler = None
            call = Call(self._services, caller, self.operation.permission, {}, None, None)
            may = call.may(name)

        routing = routing_of(scope)
        if routing.variant:
            call.check_choice_on(name)

        async def compute(routing: Routing) -> tuple[KeptAnswer, bool]:
            todo, asks = (handler, call) if handler else self.call(caller, frame, asked.content, content_type)
            return await self._computed(todo, msgspec.structs.replace(asks, routing=routing, headers={}), accept)

        return await cache.answer(asked, name, may.collection, routing, compute)

    async def _computed(self, handler: Handler, call: Call, accept: str) -> tuple[KeptAnswer, bool]:
        started = perf_counter()
        reply = await handler(call)
        _, body, content_type = self.encode(reply, accept)
        mode = getattr(call.body, "mode", "vector")
        took_s = perf_counter() - started
        as_it_stays = (
            not reply.degraded
            and reply.unindexed_filter is msgspec.UNSET  # an index comes without a write
            and QUERY_ID not in call.headers  # an answer of its own
        )
        kept = KeptAnswer(body, content_type, time(), took_s, mode, len(reply.results), call.headers)
        return kept, as_it_stays


def _wants_anew(scope: Scope) -> bool:
    return any(name == b"cache-control" and (b"no-cache" in v or b"no-store" in v) for name, v in scope["headers"])

"""Asking every judged query of a dataset, one after the other, and noting what came back and how long it took."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from vectis.domain.errors import EmbedderUnavailable
from vectis.entrypoints.cli.filling.upload import Advance
from vectis.entrypoints.cli.server.api import Api, member
from vectis.evaluation.dataset import JudgedQuery
from vectis.evaluation.fitting import PREFETCHES, Explained

DEPTH = 100
EXPLAINED_DEPTH = 200
"""Far beyond what weights that differ fourfold bring among the first ten."""


class Ranking(msgspec.Struct):
    """What one mode gave: query id -> (document id, score) best first, and the median times of a query.

    `client_ms_p50` is what the caller waited, `server_ms_p50` what the server told. `degraded`: how many queries were answered
    without which part.
    """

    run: dict[str, list[tuple[str, float]]]
    client_ms_p50: float
    server_ms_p50: float
    degraded: dict[str, int]


async def ask_all(
    api: Api, collection: str, queries: Sequence[JudgedQuery], mode: str, settings: Mapping[str, Any], advance: Advance
) -> Ranking:
    """Ask all `queries` (one at least) in `mode`, 100 results each. The first is asked once before, so that the model is
    loaded when the clock runs."""
    wanted = {"collection": collection, "mode": mode, "limit": DEPTH, "with_payload": False, "settings": dict(settings)}
    run: dict[str, list[tuple[str, float]]] = {}
    client_ms: list[float] = []
    server_ms: list[float] = []
    degraded: Counter[str] = Counter()
    await api.search({**wanted, "query": queries[0].text})
    for query in queries:
        started = perf_counter()
        answer = await api.search({**wanted, "query": query.text})
        client_ms.append((perf_counter() - started) * 1000)
        server_ms.append(answer["took_ms"])
        run[query.id] = [(str(result["id"]), result["score"]) for result in answer["results"]]
        degraded.update(answer["degraded"])
        advance(len(run))
    return Ranking(run, round(median(client_ms), 2), round(median(server_ms), 2), dict(degraded))


async def ask_explained(
    api: Api, collection: str, queries: Sequence[JudgedQuery], settings: Mapping[str, Any], advance: Advance
) -> dict[str, Explained]:
    """By query, 200 documents and what each prefetch adds to them. EmbedderUnavailable when one is answered without vectors."""
    wanted = {
        "collection": collection,
        "limit": EXPLAINED_DEPTH,
        "with_payload": False,
        "explain": True,
        "settings": dict(settings),
    }
    explained: dict[str, Explained] = {}
    for query in queries:
        answer = await api.search({**wanted, "query": query.text})
        if answer["degraded"]:
            raise EmbedderUnavailable(f"query {query.id!r} was answered without {', '.join(answer['degraded'])}")
        results: list[Any] = answer["results"]
        parts = [
            [member(each["explanation"], "contributions").get(name, 0.0) for name in PREFETCHES] for each in results
        ]
        explained[query.id] = Explained(
            [str(each["id"]) for each in results], np.array(parts, dtype=np.float64).reshape(-1, len(PREFETCHES))
        )
        advance(len(explained))
    return explained

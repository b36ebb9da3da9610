"""Traffic of an alias under rollout over HTTP: who is answered by which variant, what answers say, what is measured."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx
import pytest
from serving import RunningServer, StartServer, until

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.evidence import ShadowPair, VariantTick
from vectis.domain.routes import Mirror, Route, RoutePlan, Target
from vectis.domain.traffic import TickReport, added_up
from vectis.runtime.paths import FolderLayout

KEYS = [f"user-{number}" for number in range(2000)]
SALT = "rollout-1"
T = TypeVar("T")


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    """Two API processes; each collection has one point, which says where it is."""
    server = start_server(
        None, "--workers", "2", VECTIS_EMBEDDER__KIND="none", VECTIS_TRAFFIC__SPARE_SHARE_PERCENT="100"
    )
    for name in ("blue", "green"):
        body = {"name": name, "vectors": {"dense": {"size": 2}}}
        server.http.post("/api/v1/collections", json=body).raise_for_status()
        points = [{"id": 1, "vector": {"dense": [1.0, 0.5]}, "payload": {"of": name}}]
        server.http.put(f"/api/v1/collections/{name}/points", json={"points": points}).raise_for_status()
    return server


def in_store(server: RunningServer, do: Callable[[SqlStore], Awaitable[T]]) -> T:
    async def run() -> T:
        store = await open_store(f"sqlite:///{FolderLayout(server.folder).control}")
        try:
            return await do(store)
        finally:
            await store.close()

    return asyncio.run(run())


def search(server: RunningServer, name: str = "docs", **headers: str) -> httpx.Response:
    body = {"collection": name, "query_vector": [1.0, 0.5], "limit": 1}
    answer = server.http.post("/api/v1/vectors/search", json=body, headers=headers)
    answer.raise_for_status()
    return answer


def routed(server: RunningServer, percent: float, mirror: Mirror | None = None) -> Route:
    """Route the alias so, and wait until both processes know."""
    targets = [Target("blue", "stable", 100 - percent)]
    targets += [Target("green", "candidate", percent)] if percent else []
    plan = RoutePlan(tuple(targets), SALT, followers=("green",) if not percent else (), mirror=mirror)
    route = in_store(server, lambda store: store.set_route("docs", plan))
    seen = 0

    def known() -> bool | None:
        nonlocal seen
        answer = server.http.post(
            "/api/v1/vectors/search",
            json={"collection": "docs", "query_vector": [1.0, 0.5]},
            headers={"x-vectis-variant": "stable", "connection": "close"},  # any process may take the next connection
        )
        seen = seen + 1 if answer.headers.get("x-vectis-alias-version") == str(route.version) else 0
        return True if seen == 20 else None

    until(known, 30, "both processes know the route")
    return route


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("x-vectis-")}


def reports(server: RunningServer, route: Route) -> list[TickReport]:
    now, day = datetime.now(UTC), timedelta(days=1)
    return in_store(server, lambda store: store.traffic("docs", route.version, since=now - day, before=now + day))


def test_every_answer_says_where_it_comes_from(server: RunningServer) -> None:
    assert told(search(server, "blue")) == {"x-vectis-collection": "blue"}
    route = routed(server, 0)
    expected = {
        "x-vectis-alias": "docs",
        "x-vectis-alias-version": str(route.version),
        "x-vectis-variant": "stable",
        "x-vectis-collection": "blue",
    }
    assert [told(search(server)) for _ in range(3)] == [expected] * 3  # kept ones too
    body = {"searches": [{"collection": "docs", "query_vector": [1.0, 0.5]}]}
    assert told(server.http.post("/api/v1/vectors/search/batch", json=body)) == expected


def test_keys_are_shared_out_as_the_route_says_and_stay_while_it_grows(server: RunningServer) -> None:
    route = routed(server, 20)
    answers = {key: search(server, **{"x-routing-key": key}) for key in KEYS}
    for key, answer in answers.items():
        target = route.plan.assign(key)
        assert told(answer)["x-vectis-variant"] == target.variant
        assert told(answer)["x-vectis-collection"] == target.collection
        assert answer.json()["results"][0]["payload"] == {"of": target.collection}
    candidates = {key for key, answer in answers.items() if told(answer)["x-vectis-variant"] == "candidate"}
    spread = math.sqrt(len(KEYS) * 0.2 * 0.8)
    assert abs(len(candidates) - len(KEYS) * 0.2) < 4.5 * spread  # one in 150,000 salts would miss this

    def counted() -> dict[str, VariantTick] | None:
        found = added_up(reports(server, route), set())
        return found if sum(tick.queries for tick in found.values()) >= len(KEYS) else None

    expected = {"candidate": len(candidates), "stable": len(KEYS) - len(candidates)}
    for variant, tick in until(counted, 30, "the ticks are written").items():
        assert tick.errors == tick.empty == tick.degraded == 0
        assert tick.queries == tick.keys == expected[variant]

    routed(server, 50)
    for key in sorted(candidates)[:200]:
        assert told(search(server, **{"x-routing-key": key}))["x-vectis-variant"] == "candidate"


def test_requests_without_a_key_are_shared_out_one_by_one(server: RunningServer) -> None:
    routed(server, 50)
    variants = Counter(told(search(server))["x-vectis-variant"] for _ in range(400))
    assert abs(variants["candidate"] - 200) < 4.5 * math.sqrt(400 * 0.25)


def test_a_tester_chooses_a_variant_and_is_not_measured(server: RunningServer) -> None:
    route = routed(server, 5)
    for _ in range(5):
        answer = search(server, **{"x-vectis-variant": "candidate"})
        assert answer.json()["results"][0]["payload"] == {"of": "green"}
    refused = server.http.post(
        "/api/v1/vectors/search",
        json={"collection": "docs", "query_vector": [1.0, 0.5]},
        headers={"x-vectis-variant": "purple"},
    )
    assert refused.status_code == 422
    assert "stable, candidate" in refused.json()["detail"]
    search(server, **{"x-routing-key": "measured"})
    found = until(lambda: reports(server, route) or None, 30, "the one query that counts")
    assert sum(report.tick.queries for report in found) == 1


def test_a_routing_key_has_a_bound(server: RunningServer) -> None:
    body = {"collection": "blue", "query_vector": [1.0, 0.5]}
    answer = server.http.post("/api/v1/vectors/search", json=body, headers={"x-routing-key": "k" * 257})
    assert answer.status_code == 422


def test_mirrored_queries_are_asked_of_both(server: RunningServer) -> None:
    began = datetime.now(UTC)
    route = routed(server, 0, Mirror({"candidate": "green"}, 100.0, exact=True))

    def pairs() -> list[ShadowPair] | None:
        search(server, **{"cache-control": "no-cache"})
        found = in_store(server, lambda store: store.shadow_pairs("docs", route.version, since=began))
        return found if len(found) >= 3 else None

    for pair in until(pairs, 30, "pairs of mirrored queries"):
        assert pair.stable == pair.candidate == pair.exact == ("1",)
        assert pair.stable_ms > 0 < pair.candidate_ms
        assert len(pair.query) == 16  # a hash

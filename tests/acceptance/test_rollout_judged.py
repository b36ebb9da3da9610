"""Rollouts that decide by themselves from what their traffic shows: several at once on one real server, under real queries."""

import threading
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

import httpx
import pytest
from serving import RunningServer, StartServer, until

WITHIN_S = 180.0
V1 = "/api/v1"
POINTS = 60
CLIENTS = 3
LENIENT = [
    {"name": "error_rate", "margin": 0.02, "tolerance": 0.1},
    {"name": "empty_rate", "margin": 0.02, "tolerance": 0.1},
    {"name": "latency_p50", "margin": 4.0, "tolerance": 8.0},
]
"""Few queries shall do, and a machine that is busy with other tests shall not decide."""

MIRRORED = [{"name": "churn", "margin": 0.4, "tolerance": 0.5}]
HALF = {"strategy": "canary", "stages": [{"weight_percent": 50, "duration_s": 1}], "metrics": LENIENT}
SHADOW = {
    "strategy": "shadow",
    "stages": [{"weight_percent": 0, "mirror_percent": 100, "duration_s": 1}],
    "metrics": MIRRORED,
}
WATCHED = {"strategy": "blue_green", "watch_s": 600, "metrics": MIRRORED}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "good": ({}, HALF),
    "failing": ({"dimension": 3}, HALF),
    "silent": ({"of": "others"}, HALF),
    "alike": ({}, SHADOW),
    "unlike": ({"first_id": 1000}, SHADOW),
    "regretted": ({"dimension": 3}, WATCHED),
}
"""By alias: what is different in the candidate, and the rollout to it."""

COMPARED: dict[str, dict[str, Any]] = {"a": {}, "b": {"dimension": 3}, "c": {"of": "others"}}
EXPERIMENT = {
    "strategy": "experiment",
    "stages": [{"weight_percent": 75, "duration_s": 1}],
    "metrics": LENIENT,
    "decides_by": "empty_rate",
    "variants": [{"collection": f"compared_{name}", "weight_percent": 25} for name in COMPARED],
}
"""Of three variants, against a stable one that finds nothing: the first finds, the second fails, the third is as silent."""


class Clients:
    """Ask every alias in turns, each query by a user of its own, until stopped; keep what failed."""

    def __init__(self, url: str) -> None:
        self.failed: list[str] = []
        self.answered = 0
        self._users = count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url, number)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, url: str, number: int) -> None:
        random = Random(number)
        wanted = {"must": [{"key": "of", "match": {"value": "ours"}}]}
        with httpx.Client(base_url=url, timeout=60) as http:
            while not self._stop.is_set():
                for alias in (*CASES, "compared"):
                    vector = [random.random(), random.random()]
                    body = {"collection": alias, "query_vector": vector, "limit": 5, "filter": wanted}
                    key = {"x-routing-key": f"user-{next(self._users)}"}
                    answer = http.post(f"{V1}/vectors/search", json=body, headers=key)
                    self.answered += answer.is_success
                    if not answer.is_success:
                        self.failed.append(f"{alias}: {answer.text}")


def fill(http: httpx.Client, name: str, *, dimension: int = 2, of: str = "ours", first_id: int = 1) -> None:
    body = {"name": name, "vectors": {"dense": {"size": dimension}}}
    http.post(f"{V1}/collections", json=body).raise_for_status()
    points = [
        {"id": first_id + number, "vector": {"dense": [1.0, *(number + 1.0,) * (dimension - 1)]}, "payload": {"of": of}}
        for number in range(POINTS)
    ]
    http.put(f"{V1}/collections/{name}/points", json={"points": points}).raise_for_status()


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    return start_server(
        None,
        VECTIS_EMBEDDER__KIND="none",
        VECTIS_TRAFFIC__SPARE_SHARE_PERCENT="100",
        VECTIS_TRAFFIC__SPARE_AT_WORK_MAX="64",
    )


@pytest.fixture(scope="module")
def clients(server: RunningServer) -> Iterator[Clients]:
    for alias in CASES:
        fill(server.http, f"{alias}_1")
        server.http.put(f"{V1}/aliases/{alias}", json={"collection": f"{alias}_1"}).raise_for_status()
    fill(server.http, "compared_1", of="others")
    server.http.put(f"{V1}/aliases/compared", json={"collection": "compared_1"}).raise_for_status()
    clients = Clients(server.url)
    yield clients
    clients.stop()


@pytest.fixture(scope="module")
def ended(server: RunningServer, clients: Clients) -> dict[str, Any]:
    """Each rollout explained when it rests, by alias."""
    specs: dict[str, dict[str, Any]] = {"compared": EXPERIMENT}
    for name, candidate in COMPARED.items():
        fill(server.http, f"compared_{name}", **candidate)
    for alias, (candidate, spec) in CASES.items():
        fill(server.http, f"{alias}_2", **candidate)
        specs[alias] = {"candidate": f"{alias}_2", **spec}
    started: dict[str, str] = {}
    for alias, spec in specs.items():
        body = {"alias": alias, "change": "data_refresh", "watch_s": 0, **spec}
        answer = server.http.post(f"{V1}/rollouts", json=body)
        assert answer.is_success, answer.text
        started[alias] = answer.json()["id"]

    def explained(id: str) -> Any:
        return server.http.get(f"{V1}/rollouts/{id}/explain").json()

    def rest() -> dict[str, Any] | None:
        found = {alias: explained(id) for alias, id in started.items()}
        return found if all(each["step"] == "grace" for each in found.values()) else None

    try:
        return until(rest, WITHIN_S, "every rollout rests")
    except AssertionError:
        pytest.fail("\n".join(f"{alias}: {explained(id)}" for alias, id in started.items()))


@pytest.mark.parametrize(
    ("alias", "phase", "promoted", "reason"),
    [
        ("good", "healthy", True, "the candidate serves all traffic"),
        ("failing", "aborted", False, "stage 1 failed: error_rate: "),
        ("silent", "aborted", False, "stage 1 failed: empty_rate: "),
        ("alike", "healthy", False, "stage 1 passed: "),
        ("unlike", "aborted", False, "stage 1 failed: churn: "),
        ("regretted", "aborted", False, "failed while watched: churn: "),
    ],
)
def test_it_ends_by_itself_as_its_candidate_deserves(
    server: RunningServer, ended: dict[str, Any], alias: str, phase: str, promoted: bool, reason: str
) -> None:
    seen = ended[alias]
    assert (seen["phase"], seen["promoted"]) == (phase, promoted)
    assert seen["reason"].startswith(reason), seen["reason"]
    served = {each["alias"]: each["targets"] for each in server.http.get("/deployment/status").json()["aliases"]}
    assert [target["collection"] for target in served[alias]] == [f"{alias}_{2 if promoted else 1}"]
    assert {each["by"] for each in seen["transitions"][1:]} == {"reconciler"}


def test_what_was_judged_is_explained_with_its_figures(ended: dict[str, Any]) -> None:
    errors = next(
        metric
        for judgement in ended["failing"]["judgements"]
        for metric in judgement["judgement"]["metrics"]
        if metric["name"] == "error_rate"
    )
    assert (errors["verdict"], errors["stable"], errors["candidate"]) == ("failed", 0, 1)
    assert errors["low"] > 0.02
    different = ended["unlike"]["judgements"][-1]["judgement"]["different"]
    assert different
    assert not set(different[0]["stable"]) & set(different[0]["candidate"])


def test_no_query_of_an_alias_failed_but_those_of_candidates_that_fail(
    ended: dict[str, Any], clients: Clients
) -> None:  # fmt: skip
    assert clients.answered > 100
    assert {failure.partition(":")[0] for failure in clients.failed} == {"failing", "regretted", "compared"}


def test_an_experiment_takes_out_what_fails_and_decides_between_the_others(ended: dict[str, Any]) -> None:
    seen = ended["compared"]
    assert (seen["phase"], seen["promoted"]) == ("healthy", False)
    out = {each["variant"]: each["out"] for each in seen["candidates"]}
    assert (out["a"], out["c"]) == ("", "")
    assert out["b"].startswith("stage 1 failed: error_rate: ")
    decision = seen["decision"]
    assert (decision["better"], decision["metric"]) == ("a", "empty_rate")
    found = {each["variant"]: each for each in decision["findings"]}
    assert found["a"]["judged"]["high"] < 0 < found["c"]["judged"]["high"]
    assert [found[name]["verdict"] for name in COMPARED] == ["successful", "failed", "successful"]
    assert {each["variant"] for each in seen["judgements"]} == {"a", "b", "c"}


def test_what_was_decided_for_is_promoted_with_what_was_written_since_and_taken_back(
    server: RunningServer, ended: dict[str, Any]
) -> None:
    rollout = f"{V1}/rollouts/{ended['compared']['id']}"
    late = {"id": 5000, "vector": {"dense": [1.0, 1.0]}, "payload": {"of": "ours"}}
    server.http.put(f"{V1}/collections/compared/points", json={"points": [late]}).raise_for_status()

    def served(collection: str) -> bool | None:
        aliases = {each["alias"]: each for each in server.http.get("/deployment/status").json()["aliases"]}
        now = aliases["compared"]
        rests = now["rollout"]["step"] == "grace"
        return True if rests and [each["collection"] for each in now["targets"]] == [collection] else None

    server.http.post(f"{rollout}/promote_full", json={"reason": "as decided"}).raise_for_status()
    until(lambda: served("compared_a"), WITHIN_S, "the variant serves")
    there = server.http.post(f"{V1}/collections/compared_a/points/get", json={"ids": [5000]}).json()
    assert [point["id"] for point in there["points"]] == [5000]
    server.http.post(f"{rollout}/undo", json={}).raise_for_status()
    until(lambda: served("compared_1"), WITHIN_S, "the stable collection serves again")

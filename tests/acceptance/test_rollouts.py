"""Changing what an alias serves, on a real server: it promotes by itself, takes back by itself, and a kill costs nothing."""

import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from serving import RunningServer, StartServer, until

WITHIN_S = 60.0
V1 = "/api/v1"
PAGES = [
    {
        "id": f"page-{number}",
        "title": f"Page {number}",
        "text": f"# Page {number}\n\nThe {word} of number {number}.\n\n"
        + "Some words about it, and more of them. " * 40,
    }
    for number, word in enumerate(["harbour", "lantern", "orchard", "quarry", "meadow", "furnace"] * 5)
]
QUERIES = ["harbour", "lantern", "orchard"]
SHORT = {"watch_s": 0, "grace_s": 600}
SMALLER = {"chunking": {"target": 64, "overlap": 0}}


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    return start_server()


class Alias:
    """An alias over a collection of its own, and what is asked of it."""

    def __init__(self, server: RunningServer, name: str) -> None:
        self.http, self.name, self.first = server.http, name, f"{name}_1"
        self.post("/collections", {"name": self.first})
        self.post(f"/collections/{self.first}/documents?wait=true", {"documents": PAGES})
        assert self.http.put(f"{V1}/aliases/{name}", json={"collection": self.first}).is_success

    def post(self, path: str, body: Any) -> Any:
        answer = self.http.post(V1 + path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def start(self, **changes: Any) -> str:
        spec = {"alias": self.name, "change": "reembed", "build": SMALLER, "validation": {"queries": QUERIES}}
        return self.post("/rollouts", {**spec, **SHORT, **changes})["id"]

    def get(self, id: str) -> Any:
        return self.http.get(f"{V1}/rollouts/{id}").json()

    def reaches(self, id: str, step: str) -> Any:
        def there() -> Any:
            seen = self.get(id)
            return seen if seen["step"] == step else None

        return until(there, WITHIN_S, f"step {step}, it is {self.get(id)}")

    def answers_from(self) -> str:
        found = self.post("/search", {"collection": self.name, "query": "harbour"})
        assert found["results"]
        return found["collection"]

    def served(self) -> list[str]:
        return [target["collection"] for target in self.targets()]

    def weights(self) -> list[float]:
        return [target["weight_percent"] for target in self.targets()]

    def targets(self) -> list[Any]:
        aliases = self.http.get("/deployment/status").json()["aliases"]
        return [target for each in aliases if each["alias"] == self.name for target in each["targets"]]


def say(server: RunningServer, *words: str, command: str = "rollout") -> subprocess.CompletedProcess[str]:
    """What the command line says to this."""
    line = [sys.executable, "-m", "vectis", command, *words, "--url", server.url]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=WITHIN_S)


def said(server: RunningServer, *words: str, command: str = "rollout") -> Any:
    """The same as JSON, when it succeeds."""
    done = say(server, *words, "--json", command=command)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def preferred(server: RunningServer) -> tuple[Alias, str, int]:
    """An experiment that mixes answers, and users who like one page, which only the candidate shows; how many clicked on it."""
    docs = Alias(server, "mixed")
    liked = {"must": [{"key": "title", "match": {"value": "Page 27"}}]}
    began = docs.start(
        change="search_config",
        strategy="experiment",
        build={"search": {"boosts": [{"weight": 5, "when": liked}]}},
        stages=[{"weight_percent": 50, "interleave_percent": 60, "duration_s": 3600}],
        metrics=[{"name": "preference", "margin": 0.1, "tolerance": 0.3, "samples_min": 20}],
    )
    docs.reaches(began, "stage")
    until(lambda: docs.weights() == [50, 50] or None, WITHIN_S, "half of the traffic")
    asked = {"collection": docs.name, "query": "harbour", "limit": 3}
    clicked = 0
    for user in range(80):
        answer = docs.http.post(f"{V1}/search", json=asked, headers={"X-Routing-Key": f"user-{user}"})
        if answer.headers["X-Vectis-Variant"] != "interleaved":
            continue
        assert (
            answer.headers["X-Vectis-Collection"]
            == answer.json()["collection"]
            == f"mixed_1, {docs.get(began)['candidates'][0]['collection']}"
        )
        results = [result["id"] for result in answer.json()["results"]]
        assert "page-27" in results[:2], "the candidate's first"
        assert len(results) == 3
        click = {"query_id": answer.headers["X-Vectis-Query-Id"], "result_id": "page-27", "kind": "click"}
        assert docs.post("/feedback", click) == {"alias": "mixed", "variant": "candidate", "kept": True}
        clicked += 1
    return docs, began, clicked


def test_answers_are_mixed_for_some_users_and_never_kept(preferred: tuple[Alias, str, int]) -> None:
    docs, _, clicked = preferred
    assert 20 <= clicked < 80
    asked = {"collection": docs.name, "query": "lantern"}
    answers = [
        docs.http.post(f"{V1}/search", json=asked, headers={"X-Routing-Key": f"user-{user}"})
        for user in [*range(40), *range(40)]
    ]
    variants = [answer.headers["X-Vectis-Variant"] for answer in answers]
    assert variants[:40] == variants[40:], "each user sticks to what he has"
    kept = {variant for variant, answer in zip(variants, answers, strict=True) if answer.headers["x-cache"] == "hit"}
    assert kept
    assert kept <= {"stable", "candidate"}
    ids = [answer.headers["X-Vectis-Query-Id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) < 300


def test_a_better_candidate_is_promoted_by_itself_and_undone_by_hand(server: RunningServer) -> None:
    docs = Alias(server, "docs")
    build = {**SMALLER, "embedding": {"max_tokens": 128, "query_prefix": "about: "}}
    estimate = docs.post("/rollouts/estimate", {"alias": docs.name, "change": "reembed", "build": build})
    assert (estimate["documents"], estimate["cached_percent"], estimate["money"]) == (len(PAGES), 0, 0)
    assert estimate["seconds"] > 0, "the ingest was measured"
    began = docs.start(build=build)
    watched = say(server, "watch", began)
    assert watched.returncode == 0, watched.stderr
    assert [line.split("  ")[1] for line in watched.stdout.splitlines()][-2:] == [
        "progressing at watch",
        "healthy at grace",
    ]
    seen = docs.get(began)
    assert (seen["phase"], seen["step"], seen["promoted"]) == ("healthy", "grace", True)
    assert docs.served() == [seen["candidates"][0]["collection"]] == [docs.answers_from()]
    built = docs.http.get(f"{V1}/collections/{seen['candidates'][0]['collection']}").json()
    assert built["profile"]["chunking"] == SMALLER["chunking"]
    assert built["points"] > docs.http.get(f"{V1}/collections/{docs.first}").json()["points"]
    assert (built["profile"]["embedding"]["max_tokens"], built["profile"]["chunking"]["target"]) == (128, 64)
    assert built["points"] == estimate["chunks"], "all documents were in the sample"
    for collection in (docs.first, seen["candidates"][0]["collection"]):
        found = docs.post("/search", {"collection": collection, "query": "a big stove", "mode": "dense"})
        assert (found["degraded"], found["collection"]) == ([], collection), "two profiles, one server"
    explained = docs.http.get(f"{V1}/rollouts/{began}/explain").json()
    assert [each["step"] for each in explained["transitions"]] == ["build", "validate", "switch", "watch", "grace"]
    assert {each["name"] for each in explained["judgements"][0]["judgement"]["metrics"]} >= {"documents"}
    late = {"documents": [{"id": "late", "title": "Late", "text": "A zeppelin came late."}]}
    docs.post(f"/collections/{docs.name}/documents?wait=true", late)
    docs.post(f"/rollouts/{began}/undo", {"reason": "as a test"})
    assert docs.reaches(began, "grace")["phase"] == "aborted"
    assert docs.served() == [docs.first]
    found = docs.post("/search", {"collection": docs.name, "query": "zeppelin"})
    assert (found["collection"], found["results"][0]["id"]) == (docs.first, "late"), (
        "what was written meanwhile is there"
    )


def test_the_command_line_starts_and_explains(server: RunningServer, tmp_path: Path) -> None:
    docs = Alias(server, "spoken")
    docs.post("/collections", {"name": "spoken_2"})
    file, pages = tmp_path / "rollout.json", tmp_path / "pages.jsonl"
    fresh = [*PAGES[:-1], {"id": "late", "title": "Late", "text": "A zeppelin came late."}]
    pages.write_text("".join(json.dumps(page) + "\n" for page in fresh))
    file.write_text(json.dumps({"alias": "spoken", **SHORT}))
    refreshed = said(server, "start", str(file), "--source", f"feed={pages}")
    assert say(server, "watch", refreshed["id"]).returncode == 0, "promoted"
    found = docs.post("/search", {"collection": "spoken", "query": "zeppelin"})
    assert (found["collection"], found["results"][0]["payload"]["title"]) == (
        refreshed["candidates"][0]["collection"],
        "Late",
    )

    file.write_text(json.dumps({"alias": "spoken", "change": "data_refresh", "candidate": "spoken_2", **SHORT}))

    began = said(server, "start", str(file))["id"]
    watched = say(server, "watch", began, "--json")
    assert watched.returncode == 1, "it was aborted"
    moments = [json.loads(line) for line in watched.stdout.splitlines()]
    assert (moments[-1]["phase"], moments[-1]["step"]) == ("aborted", "grace")
    assert all(one != other for one, other in pairwise(moments))
    assert "0 of 30 documents" in json.dumps(said(server, "explain", began))
    assert [each["id"] for each in said(server, "list", "--alias", "spoken")["rollouts"]] == [began, refreshed["id"]]
    refused = say(server, "resume", began, "--json")
    assert (refused.returncode, json.loads(refused.stderr)["error"]["code"]) == (1, "conflict")
    assert said(server, "retry", began)["attempt"] == 2


def test_people_steer_a_canary(server: RunningServer, tmp_path: Path) -> None:
    docs = Alias(server, "steered")
    docs.post("/collections", {"name": "steered_2"})
    docs.post("/collections/steered_2/documents?wait=true", {"documents": PAGES})
    stages = [{"weight_percent": percent, "duration_s": 3600} for percent in (5, 50, 100)]
    canary = {"strategy": "canary", "candidate": "steered_2", "build": None, "stages": stages}
    asked = {"alias": "steered", "change": "reembed", "validation": {"queries": QUERIES}, **SHORT, **canary}
    file = tmp_path / "canary.json"
    file.write_text(json.dumps(asked))
    told = say(server, "start", str(file))
    assert "It takes 205 at least to be sure within a tolerance of 0.025" in " ".join(told.stderr.split())
    began = said(server, "list", "--alias", "steered")["rollouts"][0]["id"]
    docs.reaches(began, "stage")
    assert say(server, "promote", began).returncode == 2, "it wants a reason"
    assert say(server, "skip", began, "-m", " ").returncode == 1, "it wants a reason"
    assert said(server, "pause", began)["phase"] == "paused"
    assert said(server, "extend", began, "--by", "60")["phase"] == "progressing"
    assert said(server, "promote", began, "-m", "seen")["stage"] == 1
    until(lambda: docs.weights() == [50, 50] or None, WITHIN_S, "half of the traffic")
    with docs.http.stream("GET", f"{V1}/rollouts/{began}/events") as stream:
        assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream")
        now = json.loads(next(line for line in stream.iter_lines() if line.startswith("data: "))[6:])
    assert [(each["variant"], each["weight_percent"]) for each in now["targets"]] == [("stable", 50), ("candidate", 50)]
    assert now["transitions"][-1]["stage"] == 1
    users_are_heard(server, docs)
    for method, path, body in (
        ("DELETE", f"/collections/{docs.first}", None),
        ("PUT", f"/collections/{docs.first}/search-settings", {"search": {"limit": 3}}),
        ("PUT", "/collections/steered_2/search-settings", {"search": {"limit": 3}}),
        ("PUT", "/aliases/steered", {"collection": "steered_2"}),
        ("DELETE", "/aliases/steered", None),
    ):
        refused = docs.http.request(method, V1 + path, json=body)
        assert refused.status_code == 409, refused.text
        assert began in refused.json()["detail"]
        assert "abort" in refused.json()["detail"]
    assert said(server, "promote", began, "--full", "-m", "seen")["promoted"]
    docs.reaches(began, "grace")
    assert docs.served() == ["steered_2"]
    assert said(server, "undo", began, "-m", "as a test")["phase"] == "aborted"
    docs.reaches(began, "grace")
    assert docs.served() == [docs.first]
    counted = docs.http.get("/metrics").text
    assert 'vectis_rollout_promotions_total{alias="steered"} 1.0' in counted
    assert 'vectis_rollout_aborts_total{alias="steered"} 1.0' in counted
    settings = docs.http.put(f"{V1}/collections/{docs.first}/search-settings", json={"search": {"limit": 3}})
    assert settings.is_success, "the rollout is over"
    assert docs.http.get(f"{V1}/rollouts/absent/events").json()["code"] == "rollout_not_found"


def users_are_heard(server: RunningServer, docs: Alias) -> None:
    """While an alias is shared out, what users say of an answer finds the variant that gave it."""
    asked = {"collection": docs.name, "query": "harbour"}
    answers = [docs.http.post(f"{V1}/search", json=asked, headers={"X-Routing-Key": "ada"}) for _ in range(2)]
    first, second = [answer.headers["X-Vectis-Query-Id"] for answer in answers]
    assert first != second, "a kept answer has an id of its own each time"
    click = {"query_id": first, "result_id": answers[0].json()["results"][0]["id"], "kind": "click"}
    variant = answers[0].headers["X-Vectis-Variant"]
    assert docs.post("/feedback", click) == {"alias": docs.name, "variant": variant, "kept": True}
    rated = {**click, "query_id": second, "kind": "rating", "value": 0.75}
    heard = said(server, second, "--rating", "0.75", rated["result_id"], command="feedback")
    assert heard == {"alias": docs.name, "variant": variant, "kept": True}
    assert say(server, second, command="feedback").returncode == 2, "it wants a click or a rating"
    for change, field in (
        ({"query_id": first[:-6]}, "query_id"),
        ({"value": None}, "value"),
        ({"kind": "click"}, "value"),
    ):
        refused = docs.http.post(f"{V1}/feedback", json={**rated, **change})
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    without_key = docs.http.post(f"{V1}/search", json=asked)
    chosen = docs.http.post(
        f"{V1}/search", json=asked, headers={"X-Routing-Key": "ada", "X-Vectis-Variant": "candidate"}
    )
    of_one = docs.http.post(f"{V1}/search", json={**asked, "collection": docs.first}, headers={"X-Routing-Key": "ada"})
    assert not any("X-Vectis-Query-Id" in answer.headers for answer in (without_key, chosen, of_one))


def test_a_candidate_that_finds_nothing_is_taken_back_and_the_alias_never_moved(server: RunningServer) -> None:
    docs = Alias(server, "broken")
    docs.post("/collections", {"name": "broken_2"})
    began = docs.start(candidate="broken_2", build=None)
    refused = docs.http.delete(f"{V1}/collections/{docs.first}")
    assert refused.status_code == 409
    seen = docs.reaches(began, "grace")
    assert (seen["phase"], seen["promoted"]) == ("aborted", False)
    assert "0 of 3 queries find something" in seen["reason"]
    steps = [each["step"] for each in docs.http.get(f"{V1}/rollouts/{began}/explain").json()["transitions"]]
    assert "watch" not in steps
    assert docs.served() == [docs.first] == [docs.answers_from()]


def test_a_build_goes_on_when_its_worker_is_killed(server: RunningServer) -> None:
    docs = Alias(server, "killed")
    began = docs.start()
    until(
        lambda: docs.http.get(f"{V1}/collections/{docs.get(began)['candidates'][0]['collection']}").is_success or None,
        WITHIN_S,
        "a candidate",
    )
    server.processes()["worker"].send_signal(signal.SIGKILL)
    assert docs.reaches(began, "grace")["promoted"]
    assert docs.served() == [docs.get(began)["candidates"][0]["collection"]]


def test_a_candidate_of_vectors_is_filled_and_what_served_before_is_removed(server: RunningServer) -> None:
    http = server.http
    http.post(f"{V1}/collections", json={"name": "vecs_1", "vectors": {"dense": {"size": 2}}})
    points = [{"id": number, "vector": [1.0, number], "payload": {"n": number}} for number in range(700)]
    assert http.put(f"{V1}/collections/vecs_1/points", json={"points": points}).is_success
    assert http.put(f"{V1}/aliases/vecs", json={"collection": "vecs_1"}).is_success
    spec = {"alias": "vecs", "change": "index_config", "build": {"hnsw": {"m": 8}}, "watch_s": 0, "grace_s": 0}
    began = http.post(f"{V1}/rollouts", json=spec).json()["id"]
    seen = until(
        lambda: found if (found := http.get(f"{V1}/rollouts/{began}").json())["step"] == "done" else None,
        WITHIN_S,
        "done",
    )
    assert seen["promoted"]
    built = http.get(f"{V1}/collections/vecs").json()
    assert (built["name"], built["points"], built["profile"]["schema"]["hnsw"]["m"]) == (
        seen["candidates"][0]["collection"],
        700,
        8,
    )
    assert http.get(f"{V1}/collections/vecs_1").status_code == 404


@pytest.fixture(scope="module")
def plain(server: RunningServer) -> Alias:
    return Alias(server, "plain")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"build": None}, "candidate"),
        ({"build": {"chunking": {"target": 1}}}, "chunking.target"),
        ({"build": {"embedding": {"max_tokens": 257}}}, "embedding.max_tokens"),
        ({"build": {"embedding": {"model": "absent"}}}, "embedding.model"),
        ({"build": {"embedding": {}}, "change": "index_config"}, "change"),
        ({"hooks": [{"url": "http://localhost/agree"}]}, "hooks[0].url"),
        ({"alias": "absent"}, "alias"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(plain: Alias, changes: dict[str, Any], field: str) -> None:
    spec = {"alias": plain.name, "change": "reembed", "build": SMALLER, **SHORT, **changes}
    answer = plain.http.post(f"{V1}/rollouts", json=spec)
    assert answer.status_code in (404, 422), answer.text
    assert answer.json()["field"] == field


def test_what_users_click_on_decides_for_the_candidate(preferred: tuple[Alias, str, int]) -> None:
    """Last in this module: what is said counts when a minute is over, in which the others ran."""
    docs, began, clicked = preferred

    def preference() -> Any:
        judgements = docs.http.get(f"{V1}/rollouts/{began}/explain").json()["judgements"]
        metrics = judgements[-1]["judgement"]["metrics"] if judgements else []
        found = [metric for metric in metrics if metric["name"] == "preference"]
        return found[0] if found and found[0]["verdict"] == "successful" else None

    judged = until(preference, 3 * WITHIN_S, "users' preference is sure")
    assert judged["worsening"] == -0.5
    assert 20 <= judged["samples"] <= clicked
    docs.post(f"/rollouts/{began}/promote", {"reason": "users like it"})
    seen = docs.reaches(began, "grace")
    assert (seen["phase"], seen["promoted"]) == ("healthy", False)
    assert docs.served() == ["mixed_1"], "an experiment promotes nothing by itself"
    assert "vectis_interleaved_mixed_total" in docs.http.get("/metrics").text

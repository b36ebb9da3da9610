"""Three releases of a judged collection under real questions; nobody steps in. `python -m benchmarks.releases DATASET_DIR`.

DATASET_DIR holds corpus.jsonl ({id, title, text} a line), queries.jsonl ({id, text}) and qrels.tsv (query, document,
grade); titles that one document alone has are judged queries too. From 64-token chunks to the default ones; from BM25
alone to all prefetches; from good to damaged vectors. What happened is printed and kept in benchmarks/results/releases.json.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

from benchmarks.machine import environment
from benchmarks.run import RESULTS
from benchmarks.server import Server, running_server
from examples.users import Users

V1 = "/api/v1"
JUDGED_MAX = 1000
SMALL = {"target": 64, "overlap": 8}
DEFAULT = {"target": 200, "overlap": 20}
WORDS_ALONE = {"type": "scores", "dense": 0, "document_dense": 0}
ALL = {"type": "scores"}
DAMAGED = {"query_prefix": "Represent this sentence for searching relevant passages. " * 17}
"""As long as a prefix may be: of most questions the model reads little."""

STAGES = [{"weight_percent": percent, "duration_s": 30, "duration_max_s": 600} for percent in (20, 50)]
METRICS = [
    {"name": "error_rate", "margin": 0.005, "tolerance": 0.02},
    {"name": "empty_rate", "margin": 0.01, "tolerance": 0.03},
    {"name": "latency_p50", "margin": 1.0, "tolerance": 3.0},
    {"name": "ndcg@10", "margin": 0.01, "tolerance": 0.05},
    {"name": "recall@10", "margin": 0.01, "tolerance": 0.05},
]
"""Labels are few, so twice the usual loss of nDCG@10 is borne; and asking a model takes longer than BM25 alone."""

RELEASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "64-token chunks to the default": ("reembed", {"chunking": SMALL}, {"chunking": DEFAULT}),
    "BM25 alone to all prefetches": (
        "search_config",
        {"chunking": DEFAULT, "search": {"fusion": WORDS_ALONE}},
        {"search": {"fusion": ALL}},
    ),
    "good to damaged vectors": ("reembed", {"chunking": DEFAULT}, {"embedding": DAMAGED}),
}
"""The change, how the stable collection is made, how its candidate differs."""

Lines = list[dict[str, Any]]


def main() -> None:
    """Run the releases one after the other on one server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument(
        "--documents", type=int, default=10_000, help="how many at most, all that are judged among them"
    )
    arguments = parser.parse_args()
    documents, judged = read(arguments.dataset, arguments.documents)
    found: dict[str, Any] = {"documents": len(documents), "judged_queries": len(judged)}
    with running_server(embedder="minilm") as server:
        for number, (name, (change, made, build)) in enumerate(RELEASES.items()):
            print(f"== {name}", flush=True)
            alias = f"release_{number}"
            ingest_s = fill(server, alias, made, documents)
            spec = {
                "alias": alias,
                "change": change,
                "strategy": "canary",
                "build": build,
                "stages": STAGES,
                "metrics": METRICS,
                "validation": {"judged": judged},
                "watch_s": 10,
                "policy": {"on_inconclusive": "extend"},
            }
            questions = [each["query"] for each in judged]
            found[name] = {"ingest_s": round(ingest_s, 1), **release(server, spec, questions)}
            print(json.dumps(found[name], indent=1), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "releases.json").write_text(json.dumps({**environment(), "releases": found}, indent=1) + "\n")


def read(folder: Path, documents_max: int) -> tuple[Lines, Lines]:
    """The documents, and the queries with the grades of their answers."""
    grades: dict[str, dict[str, int]] = {}
    for line in _lines(folder / "qrels.tsv")[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = int(grade)
    queries = [json.loads(line) for line in _lines(folder / "queries.jsonl")]
    judged = [{"query": each["text"], "grades": grades[each["id"]]} for each in queries if each["id"] in grades]
    corpus = [json.loads(line) for line in _lines(folder / "corpus.jsonl")]
    needed = {document for known in grades.values() for document in known}
    others = [each for each in corpus if each["id"] not in needed]
    Random(0).shuffle(others)
    kept = [each for each in corpus if each["id"] in needed]
    documents = [*kept, *others[: max(0, documents_max - len(kept))]]
    titled = Counter(each["title"] for each in documents)
    titles = [{"query": each["title"], "grades": {each["id"]: 1}} for each in documents if titled[each["title"]] == 1]
    return documents, [*judged, *titles][:JUDGED_MAX]


def _lines(file: Path) -> list[str]:
    """Only a line feed ends a line: texts hold other separators."""
    return [line for line in file.read_text("utf-8").split("\n") if line]


def fill(server: Server, alias: str, made: dict[str, Any], documents: Lines) -> float:
    """A collection of all documents behind an alias; the seconds until they could be searched."""
    began = monotonic()
    server.http.post(f"{V1}/collections", json={"name": f"{alias}_1", **made}).raise_for_status()
    for start in range(0, len(documents), 50):
        body = {"documents": documents[start : start + 50]}
        answer = server.http.post(f"{V1}/collections/{alias}_1/documents", json=body).raise_for_status().json()
        path = f"/jobs/{answer['job_id']}"
        done = wait_for(lambda path=path: _get(server, path), lambda job: job["state"] not in ("pending", "running"))
        assert done["state"] == "done", done
    server.http.put(f"{V1}/aliases/{alias}", json={"collection": f"{alias}_1"}).raise_for_status()
    return monotonic() - began


def release(server: Server, spec: dict[str, Any], questions: list[str]) -> dict[str, Any]:
    """Begin it, let users ask until it rests or waits for somebody, and say what happened."""
    estimate = server.http.post(f"{V1}/rollouts/estimate", json=spec).raise_for_status().json()
    began = monotonic()
    with Users(server.url, spec["alias"], questions) as users:
        id = server.http.post(f"{V1}/rollouts", json=spec).raise_for_status().json()["id"]
        wait_for(
            lambda: _get(server, f"/rollouts/{id}"), lambda seen: seen["step"] == "grace" or seen["phase"] == "paused"
        )
    seen = _get(server, f"/rollouts/{id}/explain")
    times = {each["step"] + str(each["stage"]): each["at"] for each in seen["transitions"]}
    last = seen["judgements"][-1]["judgement"]
    return {
        "phase": seen["phase"],
        "promoted": seen["promoted"],
        "reason": seen["reason"],
        "took_s": round(monotonic() - began, 1),
        "began_at": times,
        "estimated": {name: estimate[name] for name in ("documents", "chunks", "tokens", "cached_percent", "seconds")},
        "queries": {"answered": users.answered, "failed": len(users.failed)},
        "judged_before": _figures(seen["judgements"][0]["judgement"]),
        "judged_last": _figures(last),
    }


def _figures(judgement: dict[str, Any]) -> dict[str, Any]:
    names = ("verdict", "samples", "stable", "candidate", "reason")
    return {metric["name"]: {name: metric[name] for name in names} for metric in judgement["metrics"]}


def _get(server: Server, path: str) -> dict[str, Any]:
    return server.http.get(V1 + path).raise_for_status().json()


def wait_for(look: Callable[[], dict[str, Any]], is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look each half second until it is so."""
    while not is_so(seen := look()):
        sleep(0.5)
    return seen


if __name__ == "__main__":
    main()

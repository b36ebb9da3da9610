"""`vectis tune` and `vectis eval` of a collection on a real server: what gains is kept, what does not or nobody knows is not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("VECTIS_")}
PARTS = 60


def test_what_gains_is_kept_and_what_does_not_is_refused(server: Any, tmp_path: Path) -> None:
    dataset = _catalogue(tmp_path / "parts", PARTS)
    by_meaning = {"fusion": {"type": "scores", "sparse": 0, "document_sparse": 0}}
    server.http.post("/api/v1/collections", json={"name": "parts", "search": by_meaning}).raise_for_status()
    documents = [json.loads(line) for line in (dataset / "corpus.jsonl").read_text().splitlines()]
    place = "/api/v1/collections/parts"
    server.http.post(f"{place}/documents", params={"wait": "true"}, json={"documents": documents}).raise_for_status()

    found = json.loads(_tune(server, dataset, "--collection", "parts", "--json", status=0))
    assert found["train"]["queries"] + found["test"]["queries"] == PARTS
    assert found["interval"][0] > 0
    assert found["test"]["tuned"] > found["test"]["in_force"]
    versions = server.http.get(f"{place}/search-settings/history").json()["versions"]
    assert [v["number"] for v in versions] == [found["version"], 1]
    assert versions[0]["settings"]["fusion"] == {"type": "scores", **found["weights"]}
    assert "nDCG@10 +" in versions[0]["description"]

    refused = _tune(server, dataset, "--collection", "parts", status=1)
    assert "refused, nothing changed" in refused
    assert server.http.get(f"{place}/search-settings/history").json()["versions"] == versions


def test_too_few_queries_are_refused_before_anything_starts(server: Any, tmp_path: Path) -> None:
    _tune(server, _catalogue(tmp_path / "few", 10), status=2)
    assert "few" not in server.http.get("/api/v1/collections").text


def test_what_a_mode_gains_is_kept_with_the_collection_when_nothing_was_missing(server: Any, tmp_path: Path) -> None:
    dataset, place = _catalogue(tmp_path / "spares", 10), "/api/v1/collections/spares"
    server.http.post("/api/v1/collections", json={"name": "spares"}).raise_for_status()
    documents = [json.loads(line) for line in (dataset / "corpus.jsonl").read_text().splitlines()]
    server.http.post(f"{place}/documents", params={"wait": "true"}, json={"documents": documents}).raise_for_status()
    asked = (dataset, "--collection", "spares", "--json")

    without_a_model = json.loads(_run(server, "eval", *asked, "--mode", "default,hyde", status=0))
    assert "hyde - default" in without_a_model["differences"]
    assert server.http.get(place).json()["gains"] == []
    assert "vectis_judged_gain{" not in server.http.get("/metrics").text

    told = json.loads(_run(server, "eval", *asked, "--mode", "dense,hyde,default", status=0))["differences"]
    (gain,) = server.http.get(place).json()["gains"]
    assert (gain["mode"], gain["against"], gain["dataset"], gain["queries"]) == ("default", "dense", "spares", 10)
    assert round(gain["difference"], 4) == told["default - dense"]["ndcg@10"] > 0
    series = 'vectis_judged_gain{against="dense",collection="spares",mode="default"} '
    assert f"{series}{gain['difference']}" in server.http.get("/metrics").text
    assert "default - dense: nDCG@10 +" in _run(server, "collections", "show", "spares", status=0)

    empty = {"name": "empty"}
    server.http.post("/api/v1/collections", json=empty).raise_for_status()
    _run(server, "eval", dataset, "--collection", "empty", "--mode", "sparse,default", status=1)
    _run(server, "eval", dataset, "--collection", "spares", "--keep", status=2)


def _catalogue(folder: Path, parts: int) -> Path:
    """Parts that are told apart by their numbers alone, each asked for by its number."""
    folder.mkdir()
    numbers = [f"{n * 7919 % 10007:05}" for n in range(parts)]
    texts = [f"Spare part {number} fits the coffee machine and is made of steel." for number in numbers]
    _write(folder / "corpus.jsonl", [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)])
    _write(folder / "queries.jsonl", [{"id": f"q{n}", "text": f"part {number}"} for n, number in enumerate(numbers)])
    (folder / "qrels.tsv").write_text("".join(f"q{n}\td{n}\t1\n" for n in range(parts)))
    return folder


def _write(file: Path, lines: list[dict[str, str]]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _tune(server: Any, dataset: Path, *words: str, status: int) -> str:
    return _run(server, "tune", dataset, *words, status=status)


def _run(server: Any, *words: Path | str, status: int) -> str:
    command = [sys.executable, "-m", "vectis", *map(str, words), "--url", server.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, env=ENVIRONMENT, check=False)
    assert run.returncode == status, f"{run.returncode}\n{run.stdout}\n{run.stderr}"
    return run.stdout

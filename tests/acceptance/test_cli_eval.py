"""`vectis eval` on real servers: figures for a dataset, and nothing left behind."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

DOCUMENTS = {
    "d1": ("Espresso", "A fine grind suits espresso machines."),
    "d2": ("French press", "A coarse grind suits the French press."),
    "d3": ("Boiler", "Descale the boiler monthly with citric acid."),
}
QUERIES = {"q1": "which grind for espresso", "q2": "descale the boiler", "q3": "nobody judged this"}
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td3\t1\n"
FIGURES = {"ndcg@10", "mrr@10", "recall@10", "recall@100"}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "coffee"
    folder.mkdir()
    corpus = [{"id": id, "title": title, "text": text} for id, (title, text) in DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in corpus))
    (folder / "queries.jsonl").write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in QUERIES.items()))
    (folder / "qrels.tsv").write_text(QRELS)
    return folder


def evaluate(*words: str, temporary: Path, status: int = 0) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VECTIS_")}
    run = subprocess.run(
        [sys.executable, "-m", "vectis", "eval", *words],
        capture_output=True, text=True, timeout=240, env={**environment, "TMPDIR": str(temporary)}, check=False,
    )  # fmt: skip
    assert run.returncode == status, f"{run.returncode}\n{run.stdout}\n{run.stderr}"
    return run


@pytest.fixture
def temporary() -> Any:
    with tempfile.TemporaryDirectory(prefix="v") as folder:
        yield Path(folder)


def test_figures_with_intervals_and_no_temporary_folder_left(dataset: Path, temporary: Path) -> None:
    told = json.loads(evaluate(str(dataset), "--json", temporary=temporary).stdout)
    assert (told["dataset"], told["documents"], told["chunks"]) == ("coffee", 3, 3)
    assert list(told["modes"]) == ["sparse", "dense", "hybrid", "default"]
    for figures in told["modes"].values():
        assert FIGURES | {"ms_per_query_p50", "intervals"} <= set(figures)
        assert all(low <= figures[name] <= high for name, (low, high) in figures["intervals"].items())
        assert figures["ms_per_query_p50"] > 0
    assert told["modes"]["default"]["recall@10"] == 1.0
    assert set(told["differences"]) == {f"default - {mode}" for mode in ("sparse", "dense", "hybrid")}
    assert list(temporary.glob("vectis-*")) == []


def test_on_a_running_server_the_collection_is_gone_afterwards(dataset: Path, temporary: Path, server: Any) -> None:
    shown = evaluate(str(dataset), "--mode", "sparse,hybrid", "--url", server.url, temporary=temporary)
    assert "nDCG@10" in shown.stdout
    assert "hybrid - sparse: nDCG@10" in shown.stdout
    assert server.http.get("/api/v1/collections").json()["collections"] == []


def test_a_refused_setting_is_told_and_the_collection_is_gone(dataset: Path, temporary: Path, server: Any) -> None:
    trial = dataset / "trial.json"
    trial.write_text('{"settings": {"prefetch_dens": 3}}')
    words = (str(dataset), "--config", str(trial), "--url", server.url)
    refused = evaluate(*words, temporary=temporary, status=1)
    assert "prefetch_dens" in refused.stderr
    assert server.http.get("/api/v1/collections").json()["collections"] == []


def test_a_kept_data_folder_is_not_indexed_anew(dataset: Path, temporary: Path, tmp_path: Path) -> None:
    words = (str(dataset), "--data-dir", str(tmp_path / "data"), "--mode", "sparse", "--json")
    first = json.loads(evaluate(*words, temporary=temporary).stdout)
    (dataset / "trial.toml").write_text("[settings]\nprefetch_sparse = 1\n")
    again = json.loads(evaluate(*words, "--config", str(dataset / "trial.toml"), temporary=temporary).stdout)
    assert (again["documents"], again["chunks"]) == (first["documents"], first["chunks"])
    jobs = _jobs(tmp_path / "data")
    assert [job["kind"] for job in jobs].count("ingest") == 1


@pytest.mark.parametrize("words", [("--mode", "lexical"), ("--config", "absent.toml")])
def test_a_wrong_call_is_refused_before_anything_starts(dataset: Path, temporary: Path, words: tuple[str, ...]) -> None:
    evaluate(str(dataset), *words, temporary=temporary, status=2)


def test_a_folder_that_is_no_dataset_says_what_is_missing(dataset: Path, temporary: Path) -> None:
    (dataset / "qrels.tsv").unlink()
    assert "qrels.tsv" in evaluate(str(dataset), temporary=temporary, status=2).stderr


def _jobs(data: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "vectis", "jobs", "list", "--json", "--data-dir", str(data)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout)["jobs"]

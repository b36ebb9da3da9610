"""The command line on real servers: what an operator types, what comes back, and with which exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest

from vectis.runtime.data_folder import HoldingServer, holder


def steps(text: str, count: int) -> str:
    """A text of many sentences, each another."""
    return " ".join(f"Step {i}: {text}." for i in range(count))


PAGES = {
    "guide/install.md": "# Installing\n\nRun the installer.\n\n## On a boat\n\n" + steps("use dry wood", 60),
    "guide/grind.md": "# Grinding beans\n\nA coarse grind suits the French press; a fine grind suits espresso.",
    "guide/clean.md": "# Cleaning\n\nDescale the boiler monthly with citric acid.",
    "faq.txt": "Why does my coffee taste sour? The water was too cold or the grind too coarse.",
    "roast.html": "<html><body><h1>Roasting</h1><p>First crack comes at 196 degrees.</p></body></html>",
}


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


class Command:
    """`vectis`, run to its end; without VECTIS_ variables of the outside."""

    def __init__(self, *defaults: str) -> None:
        self.defaults = defaults

    def __call__(self, *words: str, stdin: str | None = None, status: int = 0) -> "subprocess.CompletedProcess[str]":
        run = subprocess.run(
            [*VECTIS, *words, *self.defaults],
            input=stdin or "",
            capture_output=True, text=True, timeout=240, env=ENVIRONMENT, check=False,
        )  # fmt: skip
        assert run.returncode == status, f"{words}: {run.returncode}\n{run.stdout}\n{run.stderr}"
        return run

    def json(self, *words: str, stdin: str | None = None) -> Any:
        return json.loads(self(*words, "--json", stdin=stdin).stdout)


VECTIS = (sys.executable, "-m", "vectis")
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("VECTIS_")}


@pytest.fixture(scope="module")
def vectis(server: Any) -> Command:
    return Command("--url", server.url)


def gone(pid: int, within_s: float) -> bool:
    """Whether a process and its descendants end within the time."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return True
    _, alive = psutil.wait_procs(family, timeout=within_s)
    return not alive


def test_a_folder_is_ingested_searched_and_kept_in_step_by_private_servers(pages: Path, tmp_path: Path) -> None:
    vectis = Command("--data-dir", str(tmp_path / "data"))
    first = vectis.json("ingest", str(pages), "--collection", "docs")
    assert first["created"] is True
    assert first["documents"] == {"sent": 5, "unchanged": 0, "removed": 0, "refused": 0}
    assert first["chunks"] == first["embedded"] > 0

    (pages / "guide/clean.md").unlink()
    (pages / "guide/install.md").write_text(
        PAGES["guide/install.md"] + "\n\n## On a train\n\n" + steps("bring an adapter", 40), "utf-8"
    )
    changed = vectis.json("ingest", str(pages), "--collection", "docs")
    assert changed["documents"] == {"sent": 1, "unchanged": 3, "removed": 1, "refused": 0}
    assert changed["reused"] > 0

    results = vectis.json("search", "which grind for the French press", "--limit", "2")["results"]
    assert results[0]["id"].endswith("guide/grind.md")


def test_readable_output_names_rank_place_and_time(vectis: Command, pages: Path) -> None:
    done = vectis("ingest", str(pages), "--collection", "readable")
    assert "created" in done.stdout + done.stderr
    assert "5 sent" in done.stdout
    assert vectis("ingest", str(pages), "--collection", "readable").stdout.startswith(
        "readable: 0 sent, 5 unchanged, 0 removed"
    )
    similar = vectis("similar", "--text", "coffee", "--collection", "readable", "--diversity", "0.3", "-n", "1").stdout
    assert " 1  " in similar
    vectis("similar", "--collection", "readable", status=2)
    shown = vectis("search", "first crack", "--collection", "readable", "--explain")
    assert " 1  " in shown.stdout.splitlines()[0]
    assert "roast.html" in shown.stdout
    assert "rank 1" in shown.stdout
    assert "ms" in shown.stderr
    vectis("collections", "configure", "readable", "--set", "limit=2")
    assert len(vectis.json("search", "coffee grind", "--collection", "readable")["results"]) == 2
    assert len(vectis.json("similar", "--text", "coffee", "--collection", "readable")["results"]) == 2


def test_unreadable_files_are_refused_with_their_reasons_and_the_rest_goes_in(vectis: Command, pages: Path) -> None:
    (pages / "image.md").write_bytes(b"\x89PNG\x00\x00\xff")
    (pages / "latin.md").write_bytes("café".encode("latin-1"))
    done = vectis.json("ingest", str(pages), "--collection", "refusing")
    assert done["documents"]["sent"] == 5
    assert sorted(Path(each["id"]).name for each in done["refused"]) == ["image.md", "latin.md"]
    assert all(each["reason"] for each in done["refused"])


def test_collections_and_aliases(vectis: Command) -> None:
    vectis("collections", "create", "vectors", "--size", "4", "--distance", "Dot")
    assert vectis.json("collections", "show", "vectors")["profile"]["schema"]["dense"]["dense"]["size"] == 4
    assert "vectors" in [each["name"] for each in vectis.json("collections", "list")["collections"]]
    vectis("collections", "alias", "live", "vectors")
    assert "live" in vectis("collections", "alias").stdout
    vectis("collections", "alias", "live", "--remove")
    vectis("collections", "optimize", "vectors")
    vectis("collections", "delete", "vectors", status=2)
    vectis("collections", "delete", "vectors", "--yes")
    refused = vectis("collections", "show", "vectors", status=1)
    assert refused.stderr.startswith("error [collection_not_found]: ")
    assert "vectis collections list" in refused.stderr


def test_search_settings_are_changed_and_taken_back(vectis: Command, tmp_path: Path) -> None:
    vectis("collections", "create", "tuned")
    vectis("collections", "alias", "tuned-live", "tuned")
    changed = vectis(
        "collections", "configure", "tuned-live", "--set", "fusion.dense=2", "--set", "limit=5", "-m", "try"
    )
    assert changed.stdout == "tuned-live: version 2: limit=5, fusion.dense=2.0\n"
    settings = vectis.json("collections", "show", "tuned")["profile"]["search"]
    assert (settings["limit"], settings["fusion"]["dense"], settings["fusion"]["sparse"]) == (5, 2.0, 1.0)
    assert vectis.json("collections", "configure", "tuned", "--set", "fusion.type=rrf")["settings"]["fusion"]["k"] == 60
    file = tmp_path / "settings.toml"
    file.write_text("limit = 7\n")
    assert vectis.json("collections", "configure", "tuned", "--file", str(file))["settings"]["fusion"]["dense"] == 1
    assert vectis.json("collections", "rollback", "tuned", "2")["settings"] == settings
    listed = vectis.json("collections", "history", "tuned-live")["versions"]
    assert [v["number"] for v in listed] == [5, 4, 3, 2, 1]
    assert (listed[0]["description"], listed[3]["description"]) == ("back to version 2", "try")
    assert "fusion.dense=2.0" in vectis("collections", "history", "tuned").stdout
    assert "search.limit" in vectis("collections", "configure", "tuned", "--set", "limit=0", status=1).stderr
    assert "limitt" in vectis("collections", "configure", "tuned", "--set", "limitt=1", status=1).stderr
    vectis("collections", "configure", "tuned", "--set", "limit", status=2)
    vectis("collections", "configure", "tuned", status=2)


def test_documents_one_at_a_time(vectis: Command) -> None:
    vectis("collections", "create", "notes")
    put = vectis(
        "documents",
        "put",
        "-",
        "--id",
        "a/note one",
        "--collection",
        "notes",
        "--wait",
        stdin="# Tea\n\nSteep green tea at 80.",
    )
    assert put.stdout == "a/note one: indexed\n"
    assert vectis.json("documents", "show", "a/note one", "--collection", "notes")["document"]["text"].startswith(
        "# Tea"
    )
    assert (
        vectis.json("search", "green tea", "--collection", "notes", "--mode", "sparse")["results"][0]["id"]
        == "a/note one"
    )
    assert vectis("documents", "delete", "a/note one", "--collection", "notes", "--yes").stdout == "deleted 1 of 1\n"
    assert vectis.json("search", "green tea", "--collection", "notes")["results"] == []
    refused = vectis("documents", "put", "-", "--id", "b", "--collection", "notes", stdin=" ", status=1)
    assert "error [" in refused.stderr


def test_jobs_are_shown_and_waited_for(vectis: Command) -> None:
    vectis("collections", "create", "jobbed")
    accepted = vectis.json("documents", "put", "-", "--id", "x", "--collection", "jobbed", stdin="Some text to index.")
    assert vectis.json("jobs", "wait", accepted["job_id"])["state"] == "done"
    assert accepted["job_id"] in vectis("jobs", "show", accepted["job_id"]).stdout
    assert vectis("jobs", "show", "no-such-job", status=1).stderr.startswith("error [job_not_found]")


def test_errors_as_json_and_exit_codes(vectis: Command) -> None:
    refused = vectis("search", "x", "--collection", "absent", "--json", status=1)
    assert refused.stdout == ""
    assert json.loads(refused.stderr)["error"]["code"] == "collection_not_found"
    assert vectis("search", "x", "--filter", "nonsense", status=2).stdout == ""
    assert "[unavailable]" in Command("--url", "http://127.0.0.1:9")("collections", "list", status=3).stderr


def test_commands_find_the_server_that_holds_the_data_folder(server: Any, vectis: Command) -> None:
    held = Command("--data-dir", str(server.folder))
    assert held.json("collections", "list") == vectis.json("collections", "list")
    assert "data_folder_in_use" in held("serve", "--port", "0", status=1).stderr


def test_bench_reports_each_body_and_number_of_clients(vectis: Command, pages: Path) -> None:
    vectis("ingest", str(pages), "--collection", "benched")
    words = ("--collection", "benched", "--clients", "1,2", "--seconds", "0.3", "--body", "json", "--body", "msgpack")
    runs = vectis.json("bench", *words, "--body", "raw")["runs"]
    kinds = [(run["body"], run["clients"]) for run in runs]
    assert kinds == [(body, clients) for body in ("json", "msgpack", "raw") for clients in (1, 2)]
    assert all(run["answers"] > 0 and run["errors"] == 0 for run in runs)
    assert "requests/s" in vectis("bench", "--collection", "benched", "--clients", "1", "--seconds", "0.2").stdout


def test_doctor_finds_nothing_wrong(server: Any) -> None:
    report = Command("--data-dir", str(server.folder)).json("doctor")
    assert report["healthy"] is True
    assert {"python", "packages", "settings", "data folder", "disk", "holder", "server"} <= {
        c["name"] for c in report["checks"]
    }


def test_doctor_says_what_failed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    shown = Command("--data-dir", str(tmp_path / "file"))("doctor", status=1)
    assert "failed" in shown.stdout
    assert "--data-dir" in shown.stdout


@pytest.mark.slow
def test_an_interrupted_ingest_says_how_to_go_on_and_the_next_one_does(tmp_path: Path) -> None:
    lines = [{"id": f"n{i}", "text": f"Number {i} is followed by {i + 1}. " * 12} for i in range(150)]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    data = tmp_path / "data"
    words = ["ingest", str(corpus), "--collection", "docs", "--data-dir", str(data)]
    with subprocess.Popen(
        [*VECTIS, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as ingest:
        server = _held(data)
        deadline = monotonic() + 60
        while "docs" not in Command("--url", server.url)("collections", "list").stdout:
            assert monotonic() < deadline
        ingest.send_signal(signal.SIGINT)
        _, said = ingest.communicate(timeout=120)
    assert ingest.returncode == 130, said
    assert "again" in said
    assert gone(server.pid, 20)
    probe = Command("--data-dir", str(data))
    done = probe.json("ingest", str(corpus), "--collection", "docs")["documents"]
    assert done["sent"] + done["unchanged"] == 150
    listed = probe.json("documents", "list", "--limit", "1000")["documents"]
    assert len(listed) == 150
    assert all(line["current"] for line in listed)


def test_a_killed_command_leaves_no_private_server(tmp_path: Path, pages: Path) -> None:
    data = tmp_path / "data"
    words = ["jobs", "wait", "none", "--data-dir", str(data)]
    with subprocess.Popen([*VECTIS, *words], env=ENVIRONMENT, stderr=subprocess.DEVNULL) as command:
        server = _held(data)
        command.kill()
    assert gone(server.pid, 40)


def _held(data: Path) -> HoldingServer:
    """The server that a command has started on a data folder."""
    deadline = monotonic() + 60
    while (found := holder(data)) is None:
        assert monotonic() < deadline, "the command started no server"
    return found

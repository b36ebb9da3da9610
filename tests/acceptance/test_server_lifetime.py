"""A server's life: one per folder, clear about what it refuses; it survives the death of its parts and leaves nothing."""

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import httpx
import psutil
import pytest
from serving import ENVIRONMENT, RunningServer, StartServer, refused, until

NO_MODEL = {"VECTIS_EMBEDDER__KIND": "none"}
"""These stories need no embedder, and start sooner without."""

ORPHANS_S = 15.0


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    return start_server(None, "--workers", "2", **NO_MODEL)


def test_a_second_server_on_the_folder_is_told_who_holds_it(server: RunningServer) -> None:
    said = refused(server.folder)
    assert "data_folder_in_use" in said
    assert str(server.process.pid) in said
    assert server.url in said
    assert server.http.get("/health").status_code == 200


def test_the_port_is_a_free_one(server: RunningServer) -> None:
    assert httpx.URL(server.url).host == "127.0.0.1"
    assert httpx.URL(server.url).port not in (None, 0, 8000)


def test_a_port_in_use_is_refused(server: RunningServer, tmp_path: Path) -> None:
    assert "--port" in refused(tmp_path / "data", "--port", str(httpx.URL(server.url).port))


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path / "data", VECTIS_SEARCH__COLOUR="blue")
    assert "invalid_setting" in said
    assert "VECTIS_SEARCH__COLOUR" in said


def test_two_api_processes_answer(server: RunningServer) -> None:
    assert {"engine", "worker", "api-1", "api-2"} == set(server.processes())

    def ask(_: int) -> int:
        return httpx.get(f"{server.url}/health", timeout=30).status_code  # a connection of its own each time

    def answered_by() -> set[str] | None:
        with ThreadPoolExecutor(8) as pool:
            assert Counter(pool.map(ask, range(32))) == {200: 32}
        counts = [line for line in server.http.get("/metrics").text.splitlines() if 'operation="health"' in line]
        found = {name for name in ("api-1", "api-2") if any(f'process="{name}"' in line for line in counts)}
        return found if len(found) == 2 else None

    until(answered_by, 20, "both processes answered")


def test_what_dies_is_started_again_and_what_is_told_to_end_leaves_nothing(start_server: StartServer) -> None:
    server = start_server(**NO_MODEL)
    killed = server.processes()["api-1"]
    killed.kill()
    answer = httpx.get(f"{server.url}/health", timeout=30)  # not refused: the socket listens on
    assert answer.status_code == 200
    assert server.processes()["api-1"].pid != killed.pid

    family = server.family()
    assert len(family) == 4
    server.kill()
    began = monotonic()
    _, alive = psutil.wait_procs(family, timeout=ORPHANS_S)
    assert not alive, f"{alive} after {monotonic() - began:.0f} s"

    again = start_server(server.folder, **NO_MODEL)
    assert again.http.get("/health").status_code == 200
    family = again.family()
    assert again.stop() == 0
    assert not any(each.is_running() for each in family)


def test_files_that_are_not_text_are_reported_one_by_one(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("# Fine\n\nReadable words.", "utf-8")
    (tmp_path / "binary.md").write_bytes(b"\x7fELF\x00\x01\x02")
    (tmp_path / "latin.txt").write_bytes("déjà vu".encode("latin-1"))
    run = subprocess.run(
        [sys.executable, "-m", "vectis", "ingest", str(tmp_path), "--collection", "mixed", "--url", server.url, "--json"],
        capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    report = json.loads(run.stdout)
    assert report["documents"]["sent"] == 1
    reasons = {Path(each["id"]).name: each["reason"] for each in report["refused"]}
    assert set(reasons) == {"binary.md", "latin.txt"}
    assert "UTF-8" in reasons["latin.txt"]
    assert all(reasons.values())

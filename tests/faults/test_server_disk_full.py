"""A full disk: writes are refused with `disk_full`, nothing is half-written, reads go on, and room made is all it needs.

The data folder is a small tmpfs of its own, which takes root on Linux.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from serving import RunningServer, StartServer, until

SIZE_MIB = 288
VECTOR = 256
NO_MODEL = {"VECTIS_EMBEDDER__KIND": "none"}


class Disk:
    """A small disk, filled and freed by one file that is not the server's."""

    def __init__(self, mount: Path) -> None:
        self.mount = mount
        self._ballast = mount / "ballast"

    @property
    def free(self) -> int:
        status = os.statvfs(self.mount)
        return status.f_bavail * status.f_frsize

    def fill(self, leave: int) -> None:
        """Leave so many bytes free."""
        with self._ballast.open("ab", buffering=0) as file:
            while (left := self.free - leave) > 0:
                try:
                    file.write(b"x" * min(left, 1 << 20))
                except OSError:
                    return

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(short_folder: Path) -> Iterator[Disk]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a disk of one's own to fill takes root on Linux: nothing below ran")
    mount = short_folder / "disk"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", mount], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.strip()}: nothing below ran")
    yield Disk(mount)
    subprocess.run(["umount", "--lazy", mount], check=True)


@pytest.fixture
def server(start_server: StartServer, disk: Disk, tmp_path: Path) -> Iterator[RunningServer]:
    server = start_server(disk.mount / "data", log=tmp_path / "log", **NO_MODEL)
    vectors = {"dense": {"size": VECTOR, "distance": "Cosine"}}
    assert server.http.post("/api/v1/collections", json={"name": "own", "vectors": vectors}).status_code == 201
    assert server.http.post("/api/v1/collections", json={"name": "docs"}).status_code == 201
    yield server
    if server.process.poll() is None:
        server.stop()


def point(number: int, payload: str = "") -> dict[str, Any]:
    random = Random(number)
    return {"id": number, "vector": [random.random() for _ in range(VECTOR)], "payload": {"text": payload}}


def put(http: httpx.Client, numbers: range, payload: str = "") -> httpx.Response:
    return http.put("/api/v1/collections/own/points", json={"points": [point(n, payload) for n in numbers]})


def count(http: httpx.Client) -> int:
    answer = http.post("/api/v1/collections/own/points/count", json={})
    assert answer.status_code == 200, answer.text
    return answer.json()["count"]


def put_document(http: httpx.Client, key: str, **query: str) -> httpx.Response:
    body = {"documents": [{"id": key, "text": f"The word of this document is {key}word."}]}
    return http.post("/api/v1/collections/docs/documents", params=query, json=body)


def found(http: httpx.Client, key: str) -> list[str]:
    answer = http.post("/api/v1/search", json={"collection": "docs", "query": f"{key}word"})
    assert answer.status_code == 200, answer.text
    return [result["id"] for result in answer.json()["results"]]


def assert_full(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full"), answer.text


def assert_nothing_died(server: RunningServer) -> None:
    assert [said for said in server.events("process") if said["state"] in ("waiting", "failed")] == []


@pytest.mark.parametrize("leave_mib", [80, 20, 0])
def test_writes_are_refused_reads_go_on_and_room_made_is_enough(
    server: RunningServer, disk: Disk, start_server: StartServer, tmp_path: Path, leave_mib: int
) -> None:
    http = server.http
    assert put(http, range(500)).status_code == 200
    assert put_document(http, "early", wait="true").status_code == 200
    disk.fill(leave_mib << 20)

    assert_full(put(http, range(500, 600)))
    assert_full(put(http, range(1), "changed"))
    assert_full(put_document(http, "late"))
    assert_full(http.post("/api/v1/collections", json={"name": "more"}))
    for _ in range(20):
        if leave_mib < 48:
            assert_full(http.post("/api/v1/collections/own/points/delete", json={"ids": [7]}))

    nearest = {"collection": "own", "query_vector": point(3)["vector"], "limit": 1}
    assert http.post("/api/v1/vectors/search", json=nearest).json()["results"][0]["id"] == 3
    assert found(http, "early") == ["early"]
    assert found(http, "late") == []
    assert count(http) == 500
    assert http.get("/api/v1/collections/own/points/0").json()["payload"] == {"text": ""}
    assert [c["name"] for c in http.get("/api/v1/collections").json()["collections"]] == ["docs", "own"]
    assert [d["id"] for d in http.get("/api/v1/collections/docs/documents").json()["documents"]] == ["early"]
    assert_nothing_died(server)

    disk.make_room()
    assert put(http, range(500, 600)).status_code == 200
    assert put_document(http, "late", wait="true").json()["state"] == "done"
    assert found(http, "late") == ["late"]
    assert http.post("/api/v1/collections", json={"name": "more"}).status_code == 201
    assert_nothing_died(server)

    disk.fill(leave_mib << 20)
    server.kill_all()
    disk.make_room()
    again = start_server(server.folder, log=tmp_path / "log", **NO_MODEL)
    assert count(again.http) == 600
    assert found(again.http, "late") == ["late"]
    assert again.stop() == 0


def test_a_disk_that_fills_up_between_checks_is_never_filled_by_the_server_itself(
    server: RunningServer, disk: Disk
) -> None:
    """Large writes, one after the other, up to the refusal: what was acknowledged before it is there, and only that."""
    http = server.http
    acknowledged = 0
    while (answer := put(http, range(acknowledged, acknowledged + 500), "x" * 10_000)).status_code == 200:
        acknowledged += 500
    assert_full(answer)
    assert disk.free > 32 << 20
    assert count(http) == acknowledged > 0
    assert_nothing_died(server)


def test_what_was_accepted_before_the_disk_was_full_is_indexed_when_there_is_room(
    server: RunningServer, disk: Disk
) -> None:
    """Jobs wait for room for as long as it takes, however often they are tried; deleting works before writing does."""
    http = server.http
    server.processes()["worker"].suspend()
    job = put_document(http, "waiting").json()["job_id"]
    disk.fill(60 << 20)
    server.processes()["worker"].resume()

    def tried_often() -> bool | None:
        shown = http.get(f"/api/v1/jobs/{job}").json()
        assert shown["state"] in ("pending", "running"), shown
        return shown["attempt"] > 6 or None

    until(tried_often, 60, "more attempts than a failing job has")
    disk.make_room()
    until(lambda: found(http, "waiting") or None, 60, "the document is found")
    assert_nothing_died(server)


def test_a_server_on_a_full_disk_starts_or_says_why_not_and_loses_nothing(
    server: RunningServer, disk: Disk, start_server: StartServer, tmp_path: Path
) -> None:
    assert put(server.http, range(2000)).status_code == 200  # not flushed: the log is applied at the next start
    server.kill_all()

    disk.fill(0)
    full, why_not = None, ""
    try:
        full = start_server(server.folder, log=tmp_path / "log", **NO_MODEL)
    except AssertionError as error:
        why_not = str(error)
    if full is not None:
        assert_full(put(full.http, range(1)))
        assert_nothing_died(full)
        full.kill_all()
    assert full is not None or "no space left" in why_not

    disk.make_room()
    disk.fill(20 << 20)
    full = start_server(server.folder, log=tmp_path / "log", **NO_MODEL)
    assert_full(full.http.post("/api/v1/collections/own/points/count", json={}))
    assert_full(put(full.http, range(1)))
    disk.make_room()
    assert count(full.http) == 2000
    assert_nothing_died(full)
    assert full.stop() == 0

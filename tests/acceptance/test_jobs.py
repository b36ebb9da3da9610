"""The story of background jobs: looked at, cancelled, dead, retried, counted, over REST and on the command line."""

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import httpx
import pytest
from serving import ENVIRONMENT, RunningServer, StartServer, until

JOBS = "/api/v1/jobs"


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    return start_server(VECTIS_EMBEDDER__KIND="none")


def vectis(server: RunningServer, *words: str, status: int = 0) -> Any:
    """What a command prints as JSON, on the server's URL."""
    run = subprocess.run(
        [sys.executable, "-m", "vectis", *words, "--json", "--url", server.url],
        capture_output=True, text=True, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert run.returncode == status, run
    return json.loads(run.stdout or run.stderr)


def ended(http: httpx.Client, job: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        seen = http.get(f"{JOBS}/{job}").json()
        return seen if seen["state"] not in ("pending", "running") else None

    return until(look, 30, f"job {job} ends")


def optimize(http: httpx.Client, collection: str) -> str:
    answer = http.post(f"/api/v1/collections/{collection}/optimize")
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"]


def test_a_job_is_cancelled_retried_dies_and_is_seen_by_everyone(server: RunningServer) -> None:
    http, worker = server.http, server.processes()["worker"]
    for name in ("kept", "gone"):
        assert http.post("/api/v1/collections", json={"name": name}).status_code == 201
    worker.suspend()
    try:
        first = optimize(http, "kept")
        assert optimize(http, "kept") == first, "asked for twice, the job that waits will do"
        doomed = optimize(http, "gone")
        assert doomed != first
        assert {job["id"] for job in vectis(server, "jobs", "list", "--state", "pending")["jobs"]} == {first, doomed}
        assert http.get(f"{JOBS}/stats").json()["queues"]["maintenance"] == {"pending": 2}
        assert http.post(f"{JOBS}/{first}/cancel").json()["state"] == "cancelled"
        again = http.post(f"{JOBS}/{first}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "conflict")
        assert http.delete("/api/v1/collections/gone", params={"grace_minutes": 0}).status_code == 200
    finally:
        worker.resume()
    dead = ended(http, doomed)
    assert (dead["state"], dead["attempt"]) == ("dead", 1)
    assert "gone" in dead["error"]
    log = until(lambda: http.get(f"{JOBS}/{doomed}").json()["log"] or None, 30, "its log says how it ended")
    assert log[-1]["text"].startswith("dead: ")
    assert vectis(server, "jobs", "retry", first)["state"] in ("pending", "running", "done")
    assert ended(http, first)["state"] == "done"
    assert vectis(server, "jobs", "retry", "--all-dead", "--kind", "optimize") == {"jobs": [doomed]}
    assert ended(http, doomed)["attempt"] == 2
    assert vectis(server, "jobs", "recover") == {"jobs": []}
    for action in ("retry", "cancel"):
        absent = http.post(f"{JOBS}/absent/{action}")
        assert (absent.status_code, absent.json()["code"]) == (404, "job_not_found")
    refused = vectis(server, "jobs", "cancel", first, status=1)
    assert refused["error"]["code"] == "conflict"


def test_the_health_of_the_queues_is_told_everywhere(server: RunningServer) -> None:
    http = server.http
    stats = vectis(server, "jobs", "stats")
    assert stats["pending"] == stats["running"] == 0
    assert stats["oldest_pending_age_s"] is None
    (worker,) = stats["workers"]
    assert (worker["name"], worker["pid"]) == ("worker-1", server.processes()["worker"].pid)
    assert worker["memory_bytes"] > 1 << 20
    check = http.get("/health").json()["checks"]["jobs"]
    assert check["status"] == "ok"
    assert check["detail"].startswith("workers: 1; memory: ")
    metrics = http.get("/metrics").text
    assert 'vectis_jobs{queue="maintenance",state="pending"} 0.0' in metrics
    assert 'vectis_job_duration_seconds_count{kind="optimize",process="worker-1",state="done"} 1.0' in metrics
    assert 'vectis_worker_resident_bytes{worker="worker-1"}' in metrics


def test_a_deleted_collection_comes_back_or_gives_its_name_up(server: RunningServer) -> None:
    http = server.http
    documents = {"documents": [{"id": "tea", "text": "Green tea is steeped at eighty degrees."}]}
    assert http.post("/api/v1/collections", json={"name": "drinks"}).status_code == 201
    put = http.post("/api/v1/collections/drinks/documents", params={"wait": "true"}, json=documents)
    assert put.json()["state"] == "done"
    deleted = vectis(server, "collections", "delete", "drinks", "--yes")
    waiting = http.get(f"{JOBS}/{deleted['job_id']}").json()
    assert (waiting["kind"], waiting["state"], waiting["due_at"]) == (
        "remove_collection",
        "pending",
        deleted["removal_at"],
    )
    search = {"collection": "drinks", "query": "green tea"}
    assert http.post("/api/v1/search", json=search).status_code == 404
    assert http.get("/api/v1/collections/drinks").status_code == 404
    (hidden,) = vectis(server, "collections", "list", "--deleted")["collections"]
    assert (hidden["name"], hidden["points"], hidden["removal_at"]) == ("drinks", 1, deleted["removal_at"])
    assert vectis(server, "collections", "undelete", "drinks")["points"] == 1
    assert http.post("/api/v1/search", json=search).json()["results"][0]["id"] == "tea"
    assert http.get(f"{JOBS}/{deleted['job_id']}").json()["state"] == "cancelled"
    assert http.delete("/api/v1/collections/drinks").status_code == 200
    assert http.post("/api/v1/collections", json={"name": "drinks"}).status_code == 201
    assert http.get("/api/v1/collections/drinks").json()["points"] == 0
    deleted = http.delete("/api/v1/collections/drinks", params={"grace_minutes": 0.01}).json()
    gone = ended(http, deleted["job_id"])
    assert (gone["state"], gone["progress"]["counts"]) == ("done", {"removed": 1})
    assert http.get("/api/v1/collections", params={"deleted": "true"}).json() == {"collections": []}


def test_a_job_is_followed_by_events_until_it_ends(server: RunningServer) -> None:
    http, worker = server.http, server.processes()["worker"]
    assert http.post("/api/v1/collections", json={"name": "followed", "vectors": {"dense": {"size": 2}}}).is_success
    worker.suspend()
    try:
        job = optimize(http, "followed")
        with http.stream("GET", f"{JOBS}/{job}/events") as stream:
            assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream")
            lines = (line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: "))
            seen = [json.loads(next(lines))]
            worker.resume()
            seen += map(json.loads, lines)
    finally:
        worker.resume()
    assert (seen[0]["state"], seen[-1]["state"]) == ("pending", "done")
    assert {each["id"] for each in seen} == {job}
    assert all(one != other for one, other in pairwise(seen))
    assert vectis(server, "jobs", "show", job, "--follow")["state"] == "done"
    assert http.get(f"{JOBS}/absent/events").json()["code"] == "job_not_found"


def test_an_open_stream_does_not_hold_the_end_of_a_server_up(start_server: StartServer) -> None:
    server = start_server(VECTIS_EMBEDDER__KIND="none")
    assert server.http.post("/api/v1/collections", json={"name": "c", "vectors": {"dense": {"size": 2}}}).is_success
    job = server.http.delete("/api/v1/collections/c").json()["job_id"]
    with httpx.stream("GET", f"{server.url}{JOBS}/{job}/events", timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: JobView"
        server.process.terminate()
        assert [line for line in lines if line.startswith("event")] == []
    assert server.stop() == 0
    assert "timeout graceful shutdown exceeded" not in server.log()


def test_schedules_are_set_run_switched_off_and_removed(server: RunningServer) -> None:
    http = server.http
    assert http.post("/api/v1/collections", json={"name": "tidied", "vectors": {"dense": {"size": 2}}}).is_success
    assert [s["name"] for s in vectis(server, "schedules", "list")["schedules"]] == ["expire-jobs"]
    made = ("schedules", "set", "tidy", "--cron", "0 4 * * *", "--kind", "optimize", "--collection", "tidied")
    assert vectis(server, *made)["next_at"].endswith("T04:00:00Z")
    job = vectis(server, "schedules", "run", "tidy")
    assert (job["kind"], ended(http, job["id"])["state"]) == ("optimize", "done")
    off = vectis(server, "schedules", "set", "tidy", "--disable")
    assert (off["enabled"], off["next_at"], off["payload"]) == (False, None, {"collection": "tidied"})
    assert http.get("/api/v1/schedules/tidy").json() == off
    assert vectis(server, "schedules", "remove", "tidy") == {"deleted": True}
    assert http.post("/api/v1/schedules/tidy/run").json()["code"] == "schedule_not_found"
    assert http.delete("/api/v1/schedules/expire-jobs").status_code == 409


def test_workers_of_their_own_take_jobs_and_end_in_order(server: RunningServer) -> None:
    http, folder = server.http, server.folder
    words = (
        "--workers",
        "2",
        "--max-jobs",
        "3",
        "--name",
        "extra",
        "--queue",
        "maintenance",
        "--data-dir",
        str(folder),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "vectis", "worker", *words],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**ENVIRONMENT, "VECTIS_EMBEDDER__KIND": "none"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["workers"] == ["extra-1", "extra-2"]
        seen = {worker["name"]: worker for worker in http.get(f"{JOBS}/stats").json()["workers"]}
        assert seen.keys() == {"worker-1", "extra-1", "extra-2"}
        assert (seen["extra-2"]["jobs_max"], seen["extra-2"]["queues"]) == (3, ["maintenance"])
        own = server.processes()["worker"]
        own.suspend()
        try:
            done = ended(http, optimize(http, "kept"))
        finally:
            own.resume()
        assert (done["state"], done["worker"].startswith("extra-")) == ("done", True)
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()
    assert {worker["name"] for worker in http.get(f"{JOBS}/stats").json()["workers"]} == {"worker-1"}

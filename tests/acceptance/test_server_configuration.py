"""The configuration of a running server: applied and rolled back while it answers, taken back by itself when it is bad."""

import json
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import httpx
import psutil
import pytest
from serving import ENVIRONMENT, RunningServer, StartServer, until

NO_MODEL = {"VECTIS_EMBEDDER__KIND": "none"}
SECRETS = ("secret-of-a-file", "secret-of-the-environment")
APPLY_S = 120.0

GOOD = "[server]\nworkers = 2\n[search]\nlimit_max = 77\n[embedder]\nkind = 'openai'\n"
UNREACHABLE = "[engine]\nurl = 'http://127.0.0.1:9'\ntimeout_s = 1\n"


@pytest.fixture(scope="module")
def server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> RunningServer:
    secret = tmp_path_factory.mktemp("secret") / "key"
    secret.write_text(SECRETS[0])
    return start_server(None, **NO_MODEL, VECTIS_RERANKER__API_KEY_FILE=str(secret), OPENAI_API_KEY=SECRETS[1])


def vectis(server: RunningServer, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vectis", "config", *words, "--data-dir", str(server.folder), "--json"],
        capture_output=True, text=True, timeout=APPLY_S, env=ENVIRONMENT, check=False,
    )  # fmt: skip


def limit_max(server: RunningServer) -> dict[str, object]:
    settings = server.http.get("/api/v1/config").json()["settings"]
    return next(line for line in settings if line["key"] == "search.limit_max")


def test_no_process_has_a_secret_in_its_environment(server: RunningServer) -> None:
    family = server.family()
    assert len(family) == 4
    for process in family:
        seen = " ".join(
            [*process.cmdline(), *(process.environ().values() if process.pid != server.process.pid else ())]
        )
        assert not any(secret in seen for secret in SECRETS), process
    assert psutil.Process(server.process.pid).environ()["OPENAI_API_KEY"] == SECRETS[1], "as its starter gave it"
    shown = server.http.get("/api/v1/config").text
    assert '"***"' in shown
    assert not any(secret in server.log() + shown for secret in SECRETS)


def test_the_environment_is_examined(server: RunningServer) -> None:
    found = server.http.get("/api/v1/environment/status").json()
    assert {
        "store",
        "engine",
        "embedder",
        "embedding",
        "jobs",
        "settings",
        "disk",
        "memory",
        "file descriptors",
        "clock",
    } <= set(found["checks"])
    assert found["checks"]["store"]["state"] == found["checks"]["settings"]["state"] == "ok"
    assert found["checks"]["embedding"]["state"] == "warning", "there is no embedder here"
    assert "GB free" in found["checks"]["disk"]["detail"]
    again = server.http.get("/api/v1/environment/status").json()["checks"]
    assert again["embedding"]["age_s"] > 0, "asking an endpoint costs, so it is remembered"
    assert again["store"]["age_s"] == 0


def test_the_connections_to_the_store_are_told(server: RunningServer) -> None:
    found = server.http.get("/admin/db-stats").json()
    assert found["backend"] == "sqlite"
    assert found["connection_pool"]["kept"] == 9  # four that read, four for single questions, one that writes
    assert "Pool size" in found["connection_pool"]["status"]


def test_a_configuration_is_applied_while_the_server_answers(server: RunningServer, tmp_path: Path) -> None:
    over, refused = Event(), []

    def ask() -> None:
        while not over.is_set():
            answer = httpx.get(f"{server.url}/health", timeout=60)  # a connection of its own each time
            if answer.status_code != 200:
                refused.append(answer.text)

    clients = [Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    engine = server.processes()["engine"].pid
    (tmp_path / "good.toml").write_text(GOOD)
    run = vectis(server, "apply", str(tmp_path / "good.toml"), "-m", "two processes")
    over.set()
    for client in clients:
        client.join()
    told = json.loads(run.stdout)
    assert (run.returncode, told["state"], told["running"]) == (0, "applied", True), run
    assert told["unused"] == ["embedder.kind: environment VECTIS_EMBEDDER__KIND weighs more"]
    assert refused == []
    running = server.processes()
    assert {"engine", "worker", "api-1", "api-2"} == set(running)
    assert running["engine"].pid == engine, "what a change does not touch goes on"
    assert (server.folder / "config.toml").read_text() == GOOD
    assert limit_max(server) == {
        "key": "search.limit_max",
        "value": 77,
        "origin": f"file {server.folder / 'config.toml'}",
    }


def test_a_bad_configuration_takes_itself_back(server: RunningServer) -> None:
    before = json.loads(vectis(server, "history").stdout)
    answer = server.http.post("/api/v1/config/apply", json={"text": UNREACHABLE, "description": "a typing error"})
    assert answer.status_code == 202, answer.text
    assert server.http.post("/api/v1/config/rollback", json={}).status_code == 409, "one change at a time"

    def done() -> dict[str, object] | None:
        change = httpx.get(f"{server.url}/api/v1/config", timeout=60).json()["change"]
        return change if change["state"] != "applying" else None

    change = until(done, APPLY_S, "the change is over")
    assert change["state"] == "taken_back"
    assert "engine_unavailable" in str(change["detail"])
    assert server.http.get("/health").json()["checks"]["engine"]["status"] == "ok"
    assert (server.folder / "config.toml").read_text() == GOOD
    found = server.http.get("/api/v1/config/history").json()
    assert found["active"] == before["active"]
    newest = found["versions"][0]
    assert (newest["outcome"], newest["author"], newest["description"]) == ("taken_back", "anyone", "a typing error")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[server]\nport = 99999\nworkers = 0\n", "server.workers"),
        ("[server]\ndata_dir = 'elsewhere'\n", "server.data_dir"),
        ("[server]\nuds = 'elsewhere'\n", "server.uds"),
        ("[engine]\napi_key = 'hunter2'\n", "engine.api_key"),
        ("[embedder]\nmodel = { file = '/etc/passwd' }\n", "embedder.model"),
        ("[embedder]\nmodel = { command = 'id' }\n", "embedder.model"),
        ("[log]\nfile = '/etc/cron.d/vectis'\n", "log.file"),
        ("[log]\nfile = 'control.sqlite'\n", "log.file"),
        ("[embedder]\nweights_dir = '/etc'\n", "embedder.weights_dir"),
        ("[embedder]\nurl = 'http://127.0.0.1:9/v1'\n", "embedder.url: a key is sent there"),
        ("[garden", "not valid"),
        ("[garden]\nmodel = 1\n", "garden.model"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_changes(server: RunningServer, text: str, key: str) -> None:
    answer = server.http.post("/api/v1/config/apply", json={"text": text})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_setting")
    assert key in answer.json()["detail"]
    assert "hunter2" not in answer.text


def test_the_file_as_it_is_now_is_looked_at(server: RunningServer) -> None:
    assert server.http.get("/api/v1/config/validate").json() == {
        "valid": True,
        "objections": [],
        "warnings": [],
        "waiting": [],
    }
    file = server.folder / "config.toml"
    file.write_text("[search]\nlimit_max = 9\nbatch_max = 'many'\n")
    found = server.http.get("/api/v1/config/validate").json()
    file.write_text(GOOD)
    assert not found["valid"]
    assert [each["key"] for each in found["objections"]] == ["search.batch_max"]
    assert {"key": "search.limit_max", "running": 77, "file": 9} in found["waiting"]


def test_back_to_the_version_before(server: RunningServer) -> None:
    run = vectis(server, "rollback")
    assert json.loads(run.stdout)["state"] == "applied", run
    assert limit_max(server)["value"] == 1000
    assert set(server.processes()) == {"engine", "worker", "api-1"}
    assert (server.folder / "config.toml.backup").read_text() == GOOD
    assert (server.folder / "config.toml").read_text() == ""


def test_without_a_server_it_takes_effect_with_the_next_start(start_server: StartServer, tmp_path: Path) -> None:
    def config(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vectis", "config", *words, "--data-dir", str(tmp_path / "data")],
            capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False,
        )  # fmt: skip

    applied = config("template", "apply", "minimal-cost")
    assert "version 2 is active; it takes effect with the next start" in applied.stdout
    assert "is called personal-use now" in applied.stderr
    (tmp_path / "bad.yaml").write_text("search: {limit_max: 0}\n")
    assert "TOML" in config("apply", str(tmp_path / "bad.yaml")).stderr
    assert "search.limit_max" in config("validate", str(tmp_path / "bad.yaml")).stderr
    assert "file" in next(line for line in config("show").stdout.splitlines() if line.startswith("embedder.threads"))
    assert config("diff", "active", "personal-use").stdout == "no difference\n"
    assert config("diff", "2", "active").stdout == "no difference\n"
    assert "cache.embeddings_size" in config("diff", "1", "2").stdout, "version 1 is the empty one that was found"
    assert "vectis config history" in config("diff", "9", "active").stderr

"""What a server with access control keeps of what was done and refused, and that nobody can change it unseen."""

import getpass
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import ENVIRONMENT, RunningServer, StartServer, until


class Guarded:
    """A server with access control and its first key."""

    def __init__(self, server: RunningServer, key: str) -> None:
        self.server = server
        self.admin = httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}, timeout=60)

    def entries(self, **question: str) -> list[dict[str, Any]]:
        """Newest first, with the act's own fields."""
        answer = self.admin.get("/api/v1/audit", params=question)
        assert answer.status_code == 200, answer.text
        return [entry["act"] for entry in answer.json()["entries"]]


def vectis(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vectis", *words, "--data-dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False)


@pytest.fixture(scope="module")
def guarded(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    folder = tmp_path_factory.mktemp("audited") / "data"
    key = json.loads(vectis(folder, "init", "--json").stdout)["admin_key"]
    return Guarded(start_server(folder), key)


def test_acts_are_kept_with_who_what_and_from_where(guarded: Guarded) -> None:
    body = {"name": "kept", "vectors": {"dense": {"size": 2}}}
    made = guarded.admin.post("/api/v1/collections", json=body, headers={"x-request-id": "made-1"})
    assert made.status_code == 201
    act = guarded.entries(action="create_collection")[0]
    assert (act["actor"], act["decision"], act["resource"]) == ("admin", "allowed", "name kept")
    assert (act["address"], act["surface"], act["request_id"]) == ("127.0.0.1", "rest", "made-1")
    assert act["credential"]
    guarded.admin.get("/api/v1/collections")
    assert not guarded.entries(action="list_collections"), "reading is no act"


def test_what_failed_and_what_was_refused_are_kept_without_secrets(guarded: Guarded) -> None:
    guarded.admin.delete("/api/v1/collections/nowhere")
    wrong = {"authorization": "Bearer vts_live_wrongwrong_wrongwrong_wrong"}
    assert httpx.get(f"{guarded.server.url}/api/v1/collections", headers=wrong).status_code == 403
    assert httpx.get(f"{guarded.server.url}/api/v1/collections").status_code == 401
    failed = until(lambda: guarded.entries(decision="failed") or None, 10, "the failure is kept")
    assert failed[0]["reason"].startswith("collection_not_found")
    refused = until(lambda: ((r := guarded.entries(decision="refused")) and len(r) >= 2 and r) or None, 10, "refusals")
    assert {act["reason"].split(":")[0] for act in refused} >= {"unauthenticated", "invalid_credentials"}
    assert "wrongwrong" not in json.dumps(refused)


def test_a_change_of_rights_is_kept_as_it_was_and_is(guarded: Guarded) -> None:
    for permissions in (["read_collections"], ["read_collections", "view_metrics"]):
        assert guarded.admin.put("/api/v1/roles/reader", json={"permissions": permissions}).is_success
    later, first = guarded.entries(action="put_role", decision="done")
    assert first["before"] is None
    assert later["before"]["permissions"] == ["read_collections"]
    assert sorted(later["after"]["permissions"]) == ["read_collections", "view_metrics"]


def test_a_change_of_search_settings_is_kept_as_it_was_and_is(guarded: Guarded) -> None:
    guarded.admin.post("/api/v1/collections", json={"name": "searched", "vectors": {"dense": {"size": 2}}})
    place = "/api/v1/collections/searched/search-settings"
    assert guarded.admin.put(place, json={"search": {"limit": 3}}).json()["author"] == "admin"
    assert guarded.admin.put(place, json={"search": {"limit": 4}, "read_version": 1}).status_code == 409
    assert guarded.admin.post(f"{place}/rollback", json={}).json()["settings"]["limit"] == 10
    (changed,) = guarded.entries(action="configure_collection", decision="done")
    assert (changed["before"]["settings"]["limit"], changed["after"]["settings"]["limit"]) == (10, 3)
    (back,) = guarded.entries(action="roll_back_search_settings", decision="done")
    assert (back["before"]["number"], back["after"]["number"]) == (2, 3)


def test_every_transition_of_a_rollout_is_kept(guarded: Guarded) -> None:
    admin = guarded.admin
    for name in ("rolled_1", "rolled_2"):
        assert admin.post("/api/v1/collections", json={"name": name, "vectors": {"dense": {"size": 2}}}).is_success
    assert admin.put("/api/v1/aliases/rolled", json={"collection": "rolled_1"}).is_success
    spec = {"alias": "rolled", "change": "data_refresh", "candidate": "rolled_2", "watch_s": 0}
    began = admin.post("/api/v1/rollouts", json=spec).json()["id"]
    explain = f"/api/v1/rollouts/{began}/explain"
    until(lambda: admin.get(explain).json()["step"] == "grace" or None, 60, "promoted")
    assert admin.post(f"/api/v1/rollouts/{began}/undo", json={"reason": "as a test"}).is_success
    until(lambda: admin.get(explain).json()["phase"] == "aborted" or None, 60, "undone")
    (started,) = guarded.entries(action="start_rollout", decision="done")
    assert (started["actor"], started["resource"], started["after"]["step"]) == ("admin", "alias rolled", "build")
    (undone,) = guarded.entries(action="change_rollout", decision="done")
    assert (undone["resource"], undone["before"]["step"], undone["after"]["phase"]) == (
        f"id {began} verb undo",
        "grace",
        "aborted",
    )
    moved = guarded.entries(resource=f"rollout {began}", decision="done")[::-1]
    assert {(act["actor"], act["action"], act["surface"]) for act in moved} == {
        ("reconciler", "move_rollout", "worker")
    }
    transitions = [each for each in admin.get(explain).json()["transitions"] if each["by"] == "reconciler"]
    assert [act["after"]["generation"] for act in moved] == [each["generation"] for each in transitions][: len(moved)]
    led_to = [
        list(act["after"]["targets"])
        for act in guarded.entries(resource="alias rolled", actor="reconciler", decision="done")
    ]
    assert ["rolled_2"] in led_to


def test_the_commands_list_verify_and_export(guarded: Guarded, tmp_path: Path) -> None:
    folder = guarded.server.folder
    listed = json.loads(vectis(folder, "audit", "list", "--action", "create_collection", "--json").stdout)
    assert [entry["act"]["resource"] for entry in listed["entries"]] == [
        "name rolled_2",
        "name rolled_1",
        "name searched",
        "name kept",
    ]
    assert vectis(folder, "audit", "verify").returncode == 0
    file = tmp_path / "audit.jsonl"
    assert vectis(folder, "audit", "export", "-o", str(file)).returncode == 0
    numbers = [json.loads(line)["sequence"] for line in file.read_text().splitlines()]
    assert numbers == list(range(numbers[0], 0, -1))


def test_what_commands_do_on_the_folder_itself_is_kept(tmp_path: Path) -> None:
    folder, file = tmp_path / "data", tmp_path / "next.toml"
    file.write_text("[search]\nlimit_max = 7\n")
    assert vectis(folder, "config", "apply", str(file)).returncode == 0
    assert not (folder / "control.sqlite").exists(), "nothing is kept before access control is on"
    key = json.loads(vectis(folder, "init", "--json").stdout)["admin_key"]
    assert vectis(folder, "init").returncode == 1
    assert vectis(folder, "config", "apply", str(file), "-m", "fewer").returncode == 0
    rotated = vectis(folder, "keys", "rotate", "--all", "--yes", "--json")
    with sqlite3.connect(folder / "control.sqlite") as store:
        rows = [row for (row,) in store.execute("SELECT act FROM audit ORDER BY sequence")]
    acts = [json.loads(row) for row in rows]
    assert [(act["action"], act["decision"]) for act in acts] == [
        ("init", "allowed"),
        ("init", "done"),
        ("init", "allowed"),
        ("init", "failed"),
        ("apply_configuration", "allowed"),
        ("apply_configuration", "done"),
        ("rotate_all_keys", "allowed"),
        ("rotate_all_keys", "done"),
    ]
    assert {(act["actor"], act["surface"]) for act in acts} == {(f"local:{getpass.getuser()}", "cli")}
    assert acts[3]["reason"].startswith("conflict: ")
    assert (acts[5]["before"], acts[5]["after"]["description"]) == ({"version": 2}, "fewer")
    assert acts[7]["after"] == {"principals": ["admin"]}
    for secret in (key, json.loads(rotated.stdout)["rotated"][0]["key"]):
        assert secret not in str(rows)


def test_tampering_with_a_row_is_found(guarded: Guarded) -> None:
    with sqlite3.connect(guarded.server.folder / "control.sqlite", timeout=30) as store:
        store.execute("UPDATE audit SET act = replace(act, 'kept', 'lost') WHERE action = 'create_collection'")
    check = guarded.admin.post("/api/v1/audit/verify").json()
    assert not check["holds"]
    assert "is not what was written" in check["faults"][0]
    assert vectis(guarded.server.folder, "audit", "verify").returncode == 1

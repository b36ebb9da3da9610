"""Access control on a running server: the beginning, keys, people, roles, and what is refused how."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import ENVIRONMENT, RunningServer, StartServer, refused, until

PASSWORD = "correct horse battery"
Vectis = Callable[..., Any]


def vectis(*words: str, status: int = 0, stdin: str = "", **environment: str) -> Any:
    """What the command prints as JSON; its error when it is to fail."""
    run = subprocess.run(
        [sys.executable, "-m", "vectis", *words, "--json"],
        capture_output=True, text=True, timeout=120, check=False, input=stdin, env={**ENVIRONMENT, **environment},
    )  # fmt: skip
    assert run.returncode == status, run.stderr
    return json.loads(run.stderr)["error"] if status else json.loads(run.stdout)


@pytest.fixture(scope="module")
def guarded(start_server: StartServer) -> RunningServer:
    """A server with two API processes, on which access control was turned on while it ran."""
    server = start_server(None, "--workers", "2", VECTIS_EMBEDDER__KIND="none")
    assert server.http.get("/api/v1/collections").status_code == 200
    server.admin_key = vectis("init", "--data-dir", str(server.folder))["admin_key"]  # type: ignore[attr-defined]
    until(lambda: everywhere(server, lambda c: c.get("/api/v1/collections").status_code == 401), 5, "credentials asked")
    return server


@pytest.fixture(scope="module")
def admin(guarded: RunningServer) -> httpx.Client:
    """As the admin."""
    return client(guarded, guarded.admin_key)  # type: ignore[attr-defined]


def client(server: RunningServer, credential: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {credential}"}, timeout=60)


def everywhere(server: RunningServer, holds: Callable[[httpx.Client], bool]) -> bool | None:
    """True when it holds on twenty connections, which reach every API process with near certainty."""
    for _ in range(20):
        with httpx.Client(base_url=server.url, timeout=60) as fresh:
            if not holds(fresh):
                return None
    return True


def make_key(admin: httpx.Client, principal: str, **body: Any) -> dict[str, Any]:
    answer = admin.post("/api/v1/keys", json={"principal": principal, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_without_credentials_the_answer_says_what_is_needed(guarded: RunningServer) -> None:
    answer = guarded.http.get("/api/v1/collections")
    assert (answer.status_code, answer.json()["detail"]) == (401, "API key required")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("wrong", ["nonsense", "vts_live_000000000000_" + "0" * 43 + "_000000", "a.b.c", "vtl_guess"])
def test_a_wrong_key_is_refused(guarded: RunningServer, wrong: str) -> None:
    for headers in ({"authorization": f"Bearer {wrong}"}, {"x-api-key": wrong}):
        answer = guarded.http.get("/api/v1/collections", headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (403, "Invalid API key")


def test_health_and_openapi_stay_open(guarded: RunningServer) -> None:
    for path in ("/health", "/api/health", "/api/v1/health", "/openapi.json"):
        assert guarded.http.get(path).status_code == 200


def test_a_second_init_says_how_to_go_on(guarded: RunningServer) -> None:
    error = vectis("init", "--data-dir", str(guarded.folder), status=1)
    assert error["code"] == "conflict"
    assert "vectis keys rotate" in error["message"]


def test_the_private_files_are_for_their_owner_alone(guarded: RunningServer) -> None:
    for name in ("access.secret", "local.token"):
        assert (guarded.folder / name).stat().st_mode & 0o777 == 0o600


def test_no_key_is_kept(guarded: RunningServer, admin: httpx.Client) -> None:
    key = make_key(admin, "kept", role="viewer")["key"]
    secret = key.split("_")[3].encode()
    for file in guarded.folder.glob("control.sqlite*"):
        assert secret not in file.read_bytes()


def test_commands_on_the_folder_need_no_key_and_at_a_url_they_do(guarded: RunningServer) -> None:
    assert vectis("users", "list", "--data-dir", str(guarded.folder))["users"][0]["name"] == "admin"
    assert vectis("users", "list", "--url", guarded.url, status=1)["code"] == "unauthenticated"
    key = guarded.admin_key  # type: ignore[attr-defined]
    assert vectis("users", "list", "--url", guarded.url, "--api-key", key)["users"]
    assert vectis("collections", "list", "--url", guarded.url, VECTIS_API_KEY=key) == {"collections": []}


def test_a_viewer_reads_and_changes_nothing(guarded: RunningServer, admin: httpx.Client) -> None:
    assert admin.post("/api/v1/collections", json={"name": "seen"}).status_code == 201
    viewer = client(guarded, make_key(admin, "viewer", role="viewer")["key"])
    assert [c["name"] for c in viewer.get("/api/v1/collections").json()["collections"]] == ["seen"]
    assert viewer.get("/metrics").status_code == 200
    for answer in (
        viewer.post("/api/v1/collections", json={"name": "x"}),
        viewer.delete("/api/v1/collections/seen"),
        viewer.get("/api/v1/users"),
        viewer.post("/api/v1/keys", json={"principal": "viewer", "role": "admin"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_a_key_narrower_than_its_principal(guarded: RunningServer, admin: httpx.Client) -> None:
    for name in ("part-a", "other"):
        assert admin.post("/api/v1/collections", json={"name": name}).status_code == 201
    narrow = client(guarded, make_key(admin, "admin", role="admin", collections=["part-*"])["key"])
    assert [c["name"] for c in narrow.get("/api/v1/collections").json()["collections"]] == ["part-a"]
    assert narrow.get("/api/v1/collections/other").status_code == 403
    wider = admin.post("/api/v1/keys", json={"principal": "viewer", "role": "operator"})
    assert wider.status_code == 422
    assert "grant it first" in wider.json()["detail"]


def test_a_tenant_sees_its_own(guarded: RunningServer, admin: httpx.Client) -> None:
    assert admin.put("/api/v1/roles/writer", json={"permissions": ["read_collections", "write_collections"]}).is_success
    acme = client(guarded, make_key(admin, "acme-app", role="writer", tenant="acme")["key"])
    other = client(guarded, make_key(admin, "other-app", role="writer", tenant="other")["key"])
    assert acme.post("/api/v1/collections", json={"name": "docs"}).status_code == 201
    assert [c["name"] for c in acme.get("/api/v1/collections").json()["collections"]] == ["docs"]
    assert other.get("/api/v1/collections").json()["collections"] == []
    assert other.get("/api/v1/collections/docs").status_code == 404
    assert acme.get("/metrics").status_code == 403


def test_an_address_range_holds(guarded: RunningServer, admin: httpx.Client) -> None:
    elsewhere = client(guarded, make_key(admin, "elsewhere", role="viewer", addresses=["10.0.0.0/8"])["key"])
    here = client(guarded, make_key(admin, "here", role="viewer", addresses=["10.0.0.0/8", "127.0.0.0/8"])["key"])
    assert elsewhere.get("/api/v1/collections").status_code == 403
    assert here.get("/api/v1/collections").status_code == 200


def test_a_key_expires(guarded: RunningServer, admin: httpx.Client) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    brief = client(guarded, make_key(admin, "brief", role="viewer", expires_at=soon)["key"])
    assert brief.get("/api/v1/collections").status_code == 200
    until(lambda: brief.get("/api/v1/collections").status_code == 403 or None, 10, "the key expired")


def test_a_revoked_key_works_nowhere_within_a_second(guarded: RunningServer, admin: httpx.Client) -> None:
    made = make_key(admin, "revoked", role="viewer")
    headers = {"x-api-key": made["key"]}
    assert everywhere(guarded, lambda c: c.get("/api/v1/collections", headers=headers).status_code == 200)
    assert admin.delete(f"/api/v1/keys/{made['id']}").status_code == 200
    assert admin.get("/api/v1/collections", headers=headers | {"authorization": ""}).status_code == 403
    until(
        lambda: everywhere(guarded, lambda c: c.get("/api/v1/collections", headers=headers).status_code == 403),
        5,
        "refused by every process",
    )


def test_no_third_live_key(admin: httpx.Client) -> None:
    first = make_key(admin, "two", role="viewer")
    make_key(admin, "two")
    third = admin.post("/api/v1/keys", json={"principal": "two"})
    assert (third.status_code, third.json()["maximum"]) == (409, 2)
    admin.delete(f"/api/v1/keys/{first['id']}")
    make_key(admin, "two")


def test_the_last_admin_stays(admin: httpx.Client) -> None:
    for answer in (
        admin.patch("/api/v1/users/admin", json={"status": "disabled"}),
        admin.delete("/api/v1/users/admin"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_nobody_gives_more_than_he_has(guarded: RunningServer, admin: httpx.Client) -> None:
    admin.put("/api/v1/roles/people", json={"permissions": ["manage_users", "read_collections"]}).raise_for_status()
    manager = client(guarded, make_key(admin, "manager", role="people")["key"])
    make_key(manager, "friend", role="people")
    for answer in (
        manager.post("/api/v1/keys", json={"principal": "friend2", "role": "admin"}),
        manager.post("/api/v1/users/admin/keys/rotate"),
        manager.put("/api/v1/users/admin/password", json={"password": PASSWORD}),
        manager.patch("/api/v1/users/friend", json={"grants": [{"role": "operator"}]}),
        manager.put("/api/v1/roles/people", json={"permissions": ["manage_users", "system_config"]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied"), answer.text


def test_a_person_logs_in_refreshes_and_logs_out(guarded: RunningServer, admin: httpx.Client) -> None:
    person = {"name": "maria", "grants": [{"role": "viewer"}], "contact": "maria@example.org"}
    assert admin.post("/api/v1/users", json=person).status_code == 201
    vectis("users", "password", "maria", "--data-dir", str(guarded.folder), stdin=PASSWORD + "\n")
    log_in = {"name": "maria", "password": PASSWORD}
    wrong = guarded.http.post("/api/v1/tokens", json={**log_in, "password": "wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "invalid_credentials")
    tokens = guarded.http.post("/api/v1/tokens", json=log_in).json()
    assert tokens["expires_in"] == 1800
    assert client(guarded, tokens["access_token"]).get("/api/v1/collections").status_code == 200
    assert client(guarded, tokens["access_token"]).get("/api/v1/users").status_code == 403
    sessions = admin.get("/api/v1/sessions", params={"principal": "maria"}).json()
    assert (sessions["count"], sessions["sessions"][0]["id"]) == (1, tokens["session"])
    again = guarded.http.post("/api/v1/tokens/refresh", json={"refresh_token": tokens["refresh_token"]}).json()
    assert guarded.http.post("/api/v1/tokens/revoke", json={"refresh_token": again["refresh_token"]}).status_code == 200
    stolen = client(guarded, again["access_token"])
    until(lambda: stolen.get("/api/v1/collections").status_code == 403 or None, 5, "the session ended")


def test_a_refresh_token_used_again_ends_the_session(guarded: RunningServer, admin: httpx.Client) -> None:
    admin.post("/api/v1/users", json={"name": "joe", "grants": [{"role": "viewer"}]}).raise_for_status()
    admin.put("/api/v1/users/joe/password", json={"password": PASSWORD}).raise_for_status()
    first = guarded.http.post("/api/v1/tokens", json={"name": "joe", "password": PASSWORD}).json()
    refresh = {"refresh_token": first["refresh_token"]}
    assert guarded.http.post("/api/v1/tokens/refresh", json=refresh).status_code == 201
    assert guarded.http.post("/api/v1/tokens/refresh", json=refresh).status_code == 403
    assert admin.get("/api/v1/sessions", params={"principal": "joe"}).json()["count"] == 0


def test_metrics_take_a_key_as_basic_password(guarded: RunningServer, admin: httpx.Client) -> None:
    key = make_key(admin, "scraper", role="viewer")["key"]
    assert guarded.http.get("/metrics", auth=("anyone", key)).status_code == 200
    assert guarded.http.get("/metrics", auth=("anyone", "wrong")).status_code == 403
    missing = guarded.http.get("/metrics")
    assert missing.status_code == 401
    assert "Basic" in missing.headers["www-authenticate"]
    assert guarded.http.get("/api/v1/collections", auth=("anyone", key)).status_code == 401


def test_a_changed_role_counts_at_once(guarded: RunningServer, admin: httpx.Client) -> None:
    admin.put("/api/v1/roles/changing", json={"permissions": ["read_collections"]}).raise_for_status()
    caller = client(guarded, make_key(admin, "changing-app", role="changing")["key"])
    assert caller.post("/api/v1/collections", json={"name": "late"}).status_code == 403
    admin.put(
        "/api/v1/roles/changing", json={"permissions": ["read_collections", "write_collections"]}
    ).raise_for_status()
    until(
        lambda: caller.post("/api/v1/collections", json={"name": "late"}).status_code in (201, 409) or None, 5, "seen"
    )


def test_when_a_key_was_used_is_noted(guarded: RunningServer, admin: httpx.Client) -> None:
    made = make_key(admin, "used", role="viewer")
    client(guarded, made["key"]).get("/api/v1/collections")

    def used() -> str | None:
        keys = admin.get("/api/v1/keys", params={"principal": "used"}).json()["keys"]
        return keys[0]["last_used_at"]

    until(used, 30, "the use was written")


def test_the_emergency_makes_everybody_another_key(start_server: StartServer, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    old = vectis("init", "--data-dir", str(folder))["admin_key"]
    server = start_server(folder, VECTIS_EMBEDDER__KIND="none")
    admin = client(server, old)
    app = make_key(admin, "app", role="viewer", contact="ops@example.org")["key"]
    make_key(admin, "gone", role="viewer")
    admin.patch("/api/v1/users/gone", json={"status": "disabled"}).raise_for_status()
    rotated = vectis("keys", "rotate", "--all", "--data-dir", str(folder))["rotated"]
    assert [(each["principal"], each["contact"]) for each in rotated] == [("admin", ""), ("app", "ops@example.org")]
    for key in (old, app):
        until(lambda key=key: client(server, key).get("/api/v1/collections").status_code == 403 or None, 5, "refused")
    for each in rotated:
        assert client(server, each["key"]).get("/api/v1/collections").status_code == 200
    assert vectis("collections", "list", "--data-dir", str(folder)) == {"collections": []}
    server.stop()
    (folder / "access.secret").unlink()
    assert "vectis keys rotate --all" in refused(folder, VECTIS_EMBEDDER__KIND="none")
    again = vectis("keys", "rotate", "--all", "--data-dir", str(folder))["rotated"]
    revived = start_server(folder, VECTIS_EMBEDDER__KIND="none")
    assert client(revived, again[0]["key"]).get("/api/v1/collections").status_code == 200


def test_another_address_needs_access_control(start_server: StartServer, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    told = refused(folder, "--host", "0.0.0.0", VECTIS_EMBEDDER__KIND="none")
    assert "vectis init" in told
    vectis("init", "--data-dir", str(folder))
    server = start_server(folder, "--host", "0.0.0.0", VECTIS_EMBEDDER__KIND="none")
    assert httpx.get(server.url.replace("0.0.0.0", "127.0.0.1") + "/api/v1/collections").status_code == 401

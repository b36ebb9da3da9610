"""Webhooks against a real HTTP server: what it gets, and what counts as a yes."""

import asyncio
import hmac
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from rollout_world import canary_of

from vectis.adapters.webhooks.caller import SIGNATURE, SignedHooks
from vectis.domain.rollouts import Hook, HookPoint

SECRET = b"known to both sides"
ROLLOUT = canary_of()


class Receiver(ThreadingHTTPServer):
    """Answers each path in its own way and keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.release = threading.Event()

    def hook(self, path: str, timeout_s: float = 30.0) -> Hook:
        return Hook(f"http://127.0.0.1:{self.server_port}{path}", HookPoint.PROMOTION, timeout_s)


class Answering(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if self.path == "/never":
            self.server.release.wait(30)
            return
        self.send_response({"/yes": 204, "/no": 409, "/broken": 500, "/elsewhere": 307, "/dripping": 200}[self.path])
        self.send_header("content-length", "1000000" if self.path == "/dripping" else "0")
        self.send_header("location", "/yes")
        self.end_headers()
        if self.path == "/dripping":
            self.server.release.wait(30)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.release.set()
        server.shutdown()


@pytest.fixture
async def hooks(receiver: Receiver) -> AsyncIterator[SignedHooks]:
    addresses = [receiver.hook(path).url for path in ("/yes", "/no", "/broken", "/elsewhere", "/never", "/dripping")]
    hooks = SignedHooks(SECRET, addresses)
    yield hooks
    await hooks.close()


async def test_the_receiver_can_tell_who_sent_what(receiver: Receiver, hooks: SignedHooks) -> None:
    assert await hooks.agrees(receiver.hook("/yes"), HookPoint.PROMOTION, ROLLOUT)
    ((path, headers, body),) = receiver.got
    assert (path, headers["content-type"]) == ("/yes", "application/json")
    assert headers[SIGNATURE.lower()] == "sha256=" + hmac.new(SECRET, body, "sha256").hexdigest()
    assert headers[SIGNATURE.lower()] != "sha256=" + hmac.new(b"another secret", body, "sha256").hexdigest()
    assert json.loads(body) == {
        "rollout": "r1",
        "alias": "docs",
        "point": "promotion",
        "stable": "docs_1",
        "candidates": {"candidate": "docs_2"},
        "stage": 0,
        "generation": 1,
    }


@pytest.mark.parametrize("path", ["/no", "/broken", "/elsewhere"])
async def test_only_success_is_a_yes_and_nobody_is_sent_elsewhere(
    receiver: Receiver, hooks: SignedHooks, path: str
) -> None:
    assert not await hooks.agrees(receiver.hook(path), HookPoint.START, ROLLOUT)
    assert [asked for asked, _, _ in receiver.got] == [path]


async def test_no_answer_in_time_is_a_no(receiver: Receiver, hooks: SignedHooks) -> None:
    assert not await hooks.agrees(receiver.hook("/never", timeout_s=0.2), HookPoint.STAGE, ROLLOUT)


async def test_a_yes_is_said_by_the_status_however_long_the_rest_takes(receiver: Receiver, hooks: SignedHooks) -> None:
    async with asyncio.timeout(20):
        assert await hooks.agrees(receiver.hook("/dripping"), HookPoint.STAGE, ROLLOUT)


async def test_nobody_there_is_a_no(receiver: Receiver) -> None:
    with Receiver() as gone:
        hook = gone.hook("/yes")
    hooks = SignedHooks(SECRET, [hook.url])
    assert not await hooks.agrees(hook, HookPoint.START, ROLLOUT)
    await hooks.close()


async def test_only_addresses_of_the_settings_are_asked(receiver: Receiver) -> None:
    hooks = SignedHooks(SECRET, [receiver.hook("/no").url])
    assert not await hooks.agrees(receiver.hook("/yes"), HookPoint.PROMOTION, ROLLOUT)
    assert receiver.got == []
    await hooks.close()

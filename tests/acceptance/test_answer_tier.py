"""Answers that API processes share: found by the other one, and no query fails whatever becomes of the server in between."""

import asyncio
from collections.abc import Iterator

import pytest
from serving import RunningServer, StartServer
from tier_chaos import counted, pair_sharing, run
from valkey_process import Valkey, running_valkey


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with running_valkey() as started:
        yield started


@pytest.fixture(scope="module")
def pair(start_server: StartServer, valkey: Valkey) -> RunningServer:
    return pair_sharing(valkey, start_server)


def test_no_query_fails_and_hits_come_back(pair: RunningServer, valkey: Valkey) -> None:
    seen = asyncio.run(run(pair, valkey, fault_s=1.0))
    assert seen.failed == []
    assert [phase.name for phase in seen.phases] == ["killed", "stopped", "babbling"]
    assert counted(pair, "vectis_redis_lost_total") >= 3
    assert counted(pair, "vectis_limits_nearby_total") > 0
    assert (
        counted(pair, "vectis_answer_tier_sealed_bytes_total")
        < counted(pair, "vectis_answer_tier_plain_bytes_total") / 2
    )


def test_keys_live_no_longer_than_answers(pair: RunningServer, valkey: Valkey) -> None:
    with valkey.client() as client:
        keys = client.keys("*")
        assert keys
        assert all(key.startswith((b"vectis:answer:", b"vectis:limit:")) for key in keys)
        assert all(0 < client.pttl(key) <= 600_000 or client.pttl(key) == -2 for key in keys)

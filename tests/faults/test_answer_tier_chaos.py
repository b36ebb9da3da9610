"""A longer load while the Valkey between two API processes is killed, stopped and replaced by a babbler."""

import asyncio

import pytest
from serving import StartServer
from tier_chaos import pair_sharing, run
from valkey_process import running_valkey


def test_no_query_fails(start_server: StartServer, capsys: pytest.CaptureFixture[str]) -> None:
    with running_valkey() as valkey:
        server = pair_sharing(valkey, start_server)
        seen = asyncio.run(run(server, valkey, fault_s=8.0))
    assert seen.failed == []
    with capsys.disabled():
        normal = seen.p99_ms(0.0, seen.phases[0].began)
        print(f"\n{len(seen.answers)} answers, none failed; p99 before {normal:.0f} ms")
        for phase in seen.phases:
            first = seen.p99_ms(phase.began, phase.began + 1.0)
            rest = seen.p99_ms(phase.began + 1.0, phase.ended)
            print(
                f"  {phase.name}: p99 {first:.0f} ms in the first second, {rest:.0f} ms after it; "
                f"hits again after {phase.back_s:.2f} s"
            )

"""100,000 mixed reads and writes through two API processes: no answer is older than the last acknowledged write before it."""

import asyncio

from freshness import prepare, run
from serving import StartServer


def test_a_hundred_thousand_reads_and_writes(start_server: StartServer) -> None:
    server = start_server(None, "--workers", "2", VECTIS_EMBEDDER__KIND="none")
    asyncio.run(prepare(server.url))
    seen = asyncio.run(run(server.url, 100_000))
    assert seen.stale == []
    assert seen.failed == 0
    assert seen.kept > seen.reads // 10
    assert seen.writes > 1000

"""Processes that answer for their metrics in one folder."""

import asyncio
import shutil
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from vectis.adapters.prometheus.exchange import MetricsExchange

DEADLINE_S = 20.0


async def test_a_process_answers_again_after_its_folder_was_emptied(tmp_path: Path) -> None:
    run = tmp_path / "run"
    registry = CollectorRegistry()
    Counter("things", "Things", registry=registry).inc(3)
    exchange = MetricsExchange(run / "metrics", "extra-1", registry, look_s=0.02)
    await exchange.open()
    assert await exchange.total("things") == {(): 3.0}
    shutil.rmtree(run)
    assert await exchange.total("things") == {}
    await asyncio.sleep(0.1)  # looks at what is not there
    assert not run.exists(), "the folder is the server's to make, which closes it to others"
    run.mkdir()
    async with asyncio.timeout(DEADLINE_S):
        while await exchange.total("things") != {(): 3.0}:  # noqa: ASYNC110 - a socket appears
            await asyncio.sleep(0.02)
    await exchange.close()
    assert list((run / "metrics").iterdir()) == []

"""The figures of caches that processes share and those that each has: added up, and what the store holds counted once."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from vectis.adapters.prometheus.exchange import MetricsExchange
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.adapters.sql.store import open_store
from vectis.domain.ports.embeddings import StoredEmbedding
from vectis.runtime.wiring.caches import METRICS, cache_figures


async def test_what_processes_hold_is_added_up_and_the_store_counts_once() -> None:
    store = await open_store("sqlite:///:memory:")
    await store.put_embeddings([StoredEmbedding("p", b"hash", b"12345678", 5, datetime(2026, 1, 1, tzinfo=UTC))])
    with tempfile.TemporaryDirectory(prefix="v") as folder:
        off = MetricsExchange(Path(folder), "api-1", ProcessMetrics("1").registry)
        assert (await cache_figures(off, store))["embeddings"] == {}
        exchanges: list[MetricsExchange] = []
        for name in ("api-1", "worker"):
            metrics = ProcessMetrics("1")
            exchanges.append(MetricsExchange(Path(folder), name, metrics.registry))
            await exchanges[-1].open()
            metrics.export_counts(METRICS["embeddings"], "The cache of vectors", lambda: {"entries": 2.0})
        found = (await cache_figures(exchanges[0], store))["embeddings"]
        assert found == {"entries": 4.0, "stored_entries": 1, "stored_bytes": 8}
        await store.close()
        assert (await cache_figures(exchanges[0], store))["embeddings"] == {"entries": 4.0}
        for exchange in exchanges:
            await exchange.close()

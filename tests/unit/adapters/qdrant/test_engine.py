"""Opening a server that is not there, and closing. What the engine does is in the conformance suite."""

import socket

import pytest
from qdrant_client import AsyncQdrantClient

from vectis.adapters.qdrant.engine import QdrantEngine, open_qdrant
from vectis.domain.errors import EngineUnavailable


@pytest.mark.parametrize("prefer_grpc", [True, False])
async def test_no_server_is_engine_unavailable(prefer_grpc: bool) -> None:
    with socket.socket() as taken:  # bound and not listening, so connecting is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EngineUnavailable):
            await open_qdrant(url, prefer_grpc=prefer_grpc, timeout_s=1.0)


async def test_local_mode_declares_what_it_lacks() -> None:
    engine = QdrantEngine(AsyncQdrantClient(":memory:"))
    features = engine.features
    assert (features.name, features.quantization, features.hnsw, features.snapshots) == (
        "qdrant-local",
        False,
        False,
        False,
    )
    await engine.close()


async def test_a_server_has_all_but_snapshots() -> None:
    engine = QdrantEngine(AsyncQdrantClient(url="http://127.0.0.1:1", check_compatibility=False))
    features = engine.features
    assert (features.name, features.quantization, features.hnsw, features.snapshots) == ("qdrant", True, True, False)
    await engine.close()

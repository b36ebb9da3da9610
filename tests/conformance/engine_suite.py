"""What the engine conformance tests share: schemas, points, known lacks of an adapter, and when two rankings are the same.

An adapter joins by a branch in `opened_engine`. What an engine truly lacks is in its features; what only
one implementation gets wrong stands in LACKS with its reason and is skipped aloud for that one alone.
"""

import os
import random
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import isclose
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import msgspec
import pytest
from engine_process import EngineProcess
from qdrant_client import AsyncQdrantClient

from vectis.adapters.edge.client import EdgeEngine
from vectis.adapters.memory.engine import MemoryEngine
from vectis.adapters.qdrant.engine import QdrantEngine, open_qdrant
from vectis.domain.filters import Filter, check
from vectis.domain.points import Point, PointId, ScoredPoint, SparseVector
from vectis.domain.ports.engine import Engine
from vectis.domain.queries import EngineQuery, Nearest
from vectis.domain.schema import CollectionSchema, DenseParams, Distance, SparseParams

UUID_A = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
UUID_B = "f47ac10b-58cc-4372-a567-0e02b2c3d479"

SCHEMA = CollectionSchema(
    dense={
        "dense": DenseParams(size=8),
        "dot": DenseParams(size=4, distance=Distance.DOT),
        "euclid": DenseParams(size=4, distance=Distance.EUCLID),
        "manhattan": DenseParams(size=4, distance=Distance.MANHATTAN),
    },
    sparse={"sparse": SparseParams(), "plain": SparseParams(idf=False)},
    quantization=None,
)
SMALL = CollectionSchema(dense={"dense": DenseParams(size=2, distance=Distance.DOT)}, quantization=None)

SERVER_URL = "QDRANT_URL"
KINDS = ["memory", "edge", "qdrant-local", *(["qdrant-server"] if SERVER_URL in os.environ else [])]

LACKS: dict[str, dict[str, str]] = {
    "qdrant-local": {
        "payload indexes": "qdrant-client's local mode accepts payload indexes and keeps none",
    },
}
"""features.name -> what this implementation gets wrong -> why it is no fault of the adapter."""


@asynccontextmanager
async def opened_engine(kind: str, folder: Path) -> AsyncIterator[Engine]:
    """An engine of one of KINDS; what it stores goes into `folder`."""
    if kind == "memory":
        yield MemoryEngine()
    elif kind == "edge":
        socket = Path(mkdtemp(prefix="vectis-")) / "engine.sock"  # the paths of test folders are too long for a socket
        try:
            async with EngineProcess(folder / "engine", socket), EdgeEngine(socket) as edge:
                yield edge
        finally:
            rmtree(socket.parent)
    elif kind == "qdrant-local":
        local = QdrantEngine(AsyncQdrantClient(":memory:"))
        yield local
        await local.close()
    else:
        server = await open_qdrant(os.environ[SERVER_URL], api_key=os.environ.get("QDRANT_API_KEY"))
        yield server
        await server.close()


def needs(engine: Engine, what: str) -> None:
    """Skip, with the reason, for an implementation that is known to lack `what`."""
    reason = LACKS.get(engine.features.name, {}).get(what)
    if reason:
        pytest.skip(f"{engine.features.name}: {reason}")


def filter_of(written: dict[str, Any]) -> Filter:
    """A filter as a caller writes it, decoded and checked as a surface does."""
    decoded = msgspec.convert(written, Filter)
    check(decoded)
    return decoded


def vector(*values: float) -> "array[float]":
    """A dense vector."""
    return array("f", values)


def plain(point_id: PointId, *values: float, **payload: Any) -> Point:
    """A point for SMALL."""
    return Point(point_id, {"dense": vector(*values)}, payload)


def nearest(values: Sequence[float], using: str = "dense", limit: int = 1000, **rest: Any) -> Nearest:
    """A dense prefetch."""
    return Nearest(vector(*values), using, limit, **rest)


def sparse(weights: dict[int, float], using: str = "sparse", limit: int = 1000, **rest: Any) -> Nearest:
    """A sparse prefetch."""
    return Nearest(SparseVector(list(weights), list(weights.values())), using, limit, **rest)


def one(prefetch: Nearest, limit: int = 10, **rest: Any) -> EngineQuery:
    """A query without fusion."""
    return EngineQuery((prefetch,), limit, **rest)


def corpus(count: int, seed: int = 7) -> list[Point]:
    """Points for SCHEMA with every vector and a varied payload; the same for the same arguments."""
    rng = random.Random(seed)
    return [
        Point(
            i,
            {
                "dense": _gauss(rng, 8),
                "dot": _gauss(rng, 4),
                "euclid": _gauss(rng, 4),
                "manhattan": _gauss(rng, 4),
                "sparse": _sparse(rng),
                "plain": _sparse(rng),
            },
            {"n": i, "color": rng.choice(["red", "green", "blue"]), "tags": rng.sample("abcdef", rng.randint(0, 3))},
        )
        for i in range(1, count + 1)
    ]


def questions(count: int, seed: int = 11) -> list[Point]:
    """Vectors to ask with, drawn as those of `corpus`, so that nothing scores alike by chance."""
    return corpus(count, seed)


def ranked(points: Sequence[ScoredPoint]) -> list[tuple[PointId, float]]:
    """Ids and scores."""
    return [(point.id, point.score) for point in points]


def near(a: float, b: float) -> bool:
    """Equal as far as float32 and a different order of summation allow."""
    return isclose(a, b, rel_tol=1e-3, abs_tol=1e-5)


def assert_same(answer: Sequence[ScoredPoint], whole: Sequence[tuple[PointId, float]], offset: int, limit: int) -> None:
    """`answer` is that slice of `whole` by score and rank; only points with equal scores may change places."""
    expected = whole[offset : offset + limit]
    assert len(answer) == len(expected), (ranked(answer), expected)
    assert len({point.id for point in answer}) == len(answer)
    by_id = dict(whole)
    for point, (_, score) in zip(answer, expected, strict=True):
        assert near(point.score, score), (ranked(answer), expected)
        assert near(by_id[point.id], score), (ranked(answer), expected)


def assert_scores(answer: Sequence[ScoredPoint], expected: Sequence[tuple[PointId, float]]) -> None:
    """`answer` is exactly this, scores up to rounding."""
    assert [point.id for point in answer] == [point_id for point_id, _ in expected], ranked(answer)
    assert all(near(p.score, score) for p, (_, score) in zip(answer, expected, strict=True)), ranked(answer)


def _gauss(rng: random.Random, size: int) -> "array[float]":
    return vector(*(rng.gauss(0, 1) for _ in range(size)))


def _sparse(rng: random.Random) -> SparseVector:
    indices = sorted(rng.sample(range(40), rng.randint(2, 10)))
    return SparseVector(indices, [round(rng.uniform(0.1, 3), 4) for _ in indices])

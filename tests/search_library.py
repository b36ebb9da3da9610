"""A small collection of documents in the memory engine, and the service that searches it."""

import asyncio
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace
from passes import reads

from vectis.adapters.edge.bm25 import EdgeBm25
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.embedders import MemoryEmbedders
from vectis.adapters.memory.engine import MemoryEngine
from vectis.catalog.profiles import document_profile
from vectis.domain.collections import Collection
from vectis.domain.documents import chunk_id
from vectis.domain.embedders import Embedders
from vectis.domain.errors import EmbedderUnavailable, RerankerUnavailable
from vectis.domain.evidence import ShadowPair
from vectis.domain.measurements import Measurement
from vectis.domain.points import Dense, Point, Vectors
from vectis.domain.ports.directory import UNROUTED, Resolved
from vectis.domain.ports.generator import Completion
from vectis.domain.profiles import DENSE, DOCUMENT_DENSE, DOCUMENT_SPARSE, SPARSE, EmbeddingProfile
from vectis.domain.routes import Route, Routing
from vectis.search.answering import Answering
from vectis.search.behind import Behind
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.filter_indexes import FilterIndexes
from vectis.search.hypothesis import HYDE, Hypotheses, Spending
from vectis.search.interleaving import Interleaving
from vectis.search.plan import SearchLimits
from vectis.search.recall import RecallRules, RecallWatch
from vectis.search.requests import Hit, TextSearch
from vectis.search.service import SearchService
from vectis.search.shadows import ShadowRules, Shadows
from vectis.search.shortcuts import Shortcuts
from vectis.search.spare_time import SpareTime

PROFILE = EmbeddingProfile("colours", "1", 2, 64)
WARM: Dense = array("f", [1.0, 0.0])
COLD: Dense = array("f", [0.0, 1.0])
BM25 = EdgeBm25()
RULES = ShadowRules(timeout_s=5.0, keep_words=True)

PAGES = {
    "fire": ["flames are warm and bright", "embers glow for long", "ashes are grey"],
    "ice": ["ice is cold", "a glacier flows"],
    "lamp": ["a lamp is bright", "flames are not needed", "a bulb glows", "a switch clicks"],
}
"""Documents and their chunks; "fire" is warm, "ice" is cold, "lamp" neither."""


class ColourEmbedder:
    """Knows warm from cold; `away`: no answers."""

    profile = PROFILE
    away = False

    async def embed_query(self, text: str) -> Dense:
        if self.away:
            raise EmbedderUnavailable("the embedder is away")
        return COLD if "cold" in text else WARM

    async def embed_documents(self, texts: Sequence[str]) -> list[Dense]:
        return [await self.embed_query(text) for text in texts]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


class CountingReranker:
    """Likes texts that say `liked` often. `away`: no answers; `wait_s`: slow ones."""

    liked = "bulb"
    away = False
    wait_s = 0.0

    def __init__(self) -> None:
        self.read: list[str] = []

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        await asyncio.sleep(self.wait_s)  # a slow model, which the test is about
        if self.away:
            raise RerankerUnavailable("the reranker is away")
        self.read = list(texts)
        return [float(text.count(self.liked)) for text in texts]

    async def close(self) -> None:
        return None


class ScriptedGenerator:
    """Writes the next of `writes`; an error is raised, a number is seconds that a slow model takes."""

    model = "scripted"

    def __init__(self) -> None:
        self.writes: list[str | Exception | float] = []
        self.asked: list[str] = []

    async def complete(self, prompt: str, *, temperature: float, max_tokens: int) -> Completion:
        self.asked.append(prompt)
        step = self.writes.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            await asyncio.sleep(step)  # a slow model, which the test is about
        return Completion(str(step), tokens=10)

    async def close(self) -> None:
        return None


class KeptHypotheses:
    """An embedding cache that keeps vectors of questions with hypothetical answers, and no others."""

    def __init__(self) -> None:
        self.vectors: dict[str, Dense] = {}

    async def known(self, profile: EmbeddingProfile, texts: Sequence[str]) -> dict[str, Dense]:
        return {text: self.vectors[text] for text in texts if text in self.vectors}

    def remember(self, profile: EmbeddingProfile, vectors: Mapping[str, Dense], took_s: float) -> None:
        self.vectors |= {key: vector for key, vector in vectors.items() if key.startswith(HYDE)}

    async def clear(self) -> int:
        return 0


class Asked:
    """The memory engine, noting what it is asked."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self.engine, name)


class Library:
    """A collection of PAGES and the service that searches it. Without `whole` it is as collections were before documents
    had evidence of their own: no vectors for them, and ids that say nothing."""

    def __init__(self, *, whole: bool, more_payload: Mapping[str, dict[str, Any]] | None = None) -> None:
        self.whole = whole
        self.more_payload = more_payload or {}
        self.clock = ManualClock()
        self.reader = Asked()
        self.embedder = ColourEmbedder()
        self.reranker = CountingReranker()
        self.measured: list[Measurement] = []
        self.pairs: list[ShadowPair] = []
        self.route: Route | None = None
        self.at_work = 0
        self.generator = ScriptedGenerator()
        self.kept = KeptHypotheses()
        embeddings = QueryEmbeddings(Embedders(PROFILE, [MemoryEmbedders(self.embedder)]), self.kept)
        spending = Spending(cast("Any", None), self.clock, price_per_million_tokens=0, cost_per_day_max=0)
        self.hypotheses = Hypotheses(self.generator, embeddings, spending, self.clock, ttl_s=86_400)
        spare = SpareTime(self.clock, lambda: self.at_work, share_percent=50.0, at_work_max=3)
        limits, never = SearchLimits(), cast("Any", None)
        answering = Answering(
            reader=self.reader,
            indexes=FilterIndexes(self.reader.engine, self.clock),
            reranker=self.reranker,
            embeddings=embeddings,
            hypotheses=self.hypotheses,
            sparse=BM25,
            clock=self.clock,
            limits=limits,
        )
        behind = Behind(
            Shadows(directory=self, log=self, clock=self.clock, spare=spare, rules=RULES),
            RecallWatch(log=never, spare=spare, rules=RecallRules(0.0, 0.9, 5.0)),
            Shortcuts(reader=never, log=never, clock=self.clock, spare=spare, sample_percent=0.0, timeout_s=5.0),
        )
        self.service = SearchService(
            directory=self,
            answering=answering,
            log=self,
            clock=self.clock,
            behind=behind,
            interleaving=Interleaving(self),
            limits=limits,
        )

    async def resolve(self, name: str, routing: Routing = UNROUTED) -> Resolved:
        return Resolved(self.collection, "stable", self.route if name == "docs" else None)

    def forget(self) -> None:
        return None

    def append(self, measurement: Measurement) -> None:
        self.measured.append(measurement)

    def append_pair(self, route: Route, pair: ShadowPair) -> None:
        self.pairs.append(pair)

    async def fill(self) -> None:
        profile = document_profile(PROFILE)
        schema = replace(profile.schema, quantization=None)
        if not self.whole:
            schema = replace(schema, dense={DENSE: schema.dense[DENSE]}, sparse={SPARSE: schema.sparse[SPARSE]})
        profile = replace(profile, schema=schema)
        self.collection = Collection("docs", profile, self.clock.now())
        await self.reader.engine.create("docs", profile.schema)
        await self.reader.engine.upsert("docs", list(self._points()))

    def profile_searches(self, **settings: Any) -> None:
        """From now on the collection is searched with these settings."""
        profile = self.collection.profile
        self.collection = replace(self.collection, profile=replace(profile, search=replace(profile.search, **settings)))

    async def ask(self, query: str, **given: Any) -> list[Hit]:
        self.reader.calls.clear()
        return (await self.service.search_text(reads("docs"), TextSearch(query=query, **given))).hits

    def _points(self) -> Iterator[Point]:
        for document, texts in PAGES.items():
            dense = array("f", {"fire": [0.9, 0.3], "lamp": [0.6, 0.6], "ice": [0.1, 0.9]}[document])
            for ordinal, text in enumerate(texts):
                vectors: Vectors = {DENSE: dense, SPARSE: BM25.encode_document(text, 4.0)}
                if self.whole and not ordinal:
                    vectors |= {DOCUMENT_DENSE: dense, DOCUMENT_SPARSE: BM25.encode_document(" ".join(texts), 12.0)}
                payload = {
                    "document_id": document,
                    "title": document.title(),
                    "text": text,
                    "ordinal": ordinal,
                    "kind": document[0],
                }
                payload |= self.more_payload.get(document, {})
                id = chunk_id("docs", document, text, 0) if self.whole else str(uuid5(NAMESPACE_URL, text))
                yield Point(id, vectors, payload)

"""What building a candidate will take, said before it begins: counted on a sample, timed by what this server measured."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from vectis.domain.jobs import Job, JobFilter, JobState
from vectis.domain.ports.control import CollectionStore, DocumentStore, JobLedger
from vectis.domain.ports.engine import PointReader
from vectis.domain.profiles import CollectionProfile, EmbeddingProfile

JOBS_LOOKED_AT = 200
EMBEDDING_MS = "embed_ms"
WORK_MS = ("parse_ms", "chunk_ms", "sparse_ms", "write_ms")
"""What jobs that index documents count besides: the time of each part."""


class Sample(Protocol):
    """What was counted on some of a collection's documents."""

    @property
    def sampled(self) -> int:
        """How many documents."""
        ...

    @property
    def chunks(self) -> int:
        """How many chunks they have."""
        ...

    @property
    def tokens(self) -> int:
        """Tokens of their distinct texts."""
        ...

    @property
    def tokens_to_embed(self) -> int:
        """Tokens of those that were not embedded before."""
        ...


TakeSample = Callable[[str, CollectionProfile, EmbeddingProfile], Awaitable[Sample]]
"""Cuts some documents of a collection under another profile."""

PricePerToken = Callable[[EmbeddingProfile], float | None]
"""Money for a token; 0 where the model runs here, None where nobody said a price."""


class EstimateParts(CollectionStore, DocumentStore, JobLedger, Protocol):
    """The parts of the control store that an estimate reads."""


class Estimate(msgspec.Struct, frozen=True):
    """What a build will take. Counts grow from `sampled_documents` to all; `cached_percent` of the tokens are embedded already.

    `seconds` is cutting, embedding and writing, at the rates of `measured_jobs` finished jobs; the index is built beside.
    What cannot be known is None, and `unknown` says why, by field. `warnings`: what will keep stages from passing.
    """

    documents: int
    points: int
    sampled_documents: int = 0
    chunks: int = 0
    tokens: int = 0
    cached_percent: float = 0.0
    seconds: float | None = None
    money: float | None = None
    measured_jobs: int = 0
    unknown: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class Rates(msgspec.Struct, frozen=True):
    """Seconds for each token that is embedded and each chunk that is cut and written; None while no job measured it."""

    token_s: float | None
    chunk_s: float | None
    jobs: int


class Estimator:
    """Estimates builds. Nothing is embedded, copied or written for it."""

    def __init__(
        self, *, store: EstimateParts, points: PointReader, sample: TakeSample, price_per_token: PricePerToken
    ) -> None:
        self._store = store
        self._points = points
        self._sample = sample
        self._price_per_token = price_per_token

    async def estimate(self, stable: str, profile: CollectionProfile) -> Estimate:
        """What a collection like `profile` with all of `stable` will take. Raises as the embedder of the profile does."""
        points = await self._points.count(stable)
        embedding = profile.embedding
        if embedding is None:
            why = "points are copied as they are, which no job has measured"
            return Estimate(0, points, money=0.0, unknown={"seconds": why})
        documents = await self._store.count_documents(stable)
        found = await self._sample(stable, profile, embedding)
        share = documents / max(found.sampled, 1)
        to_embed = found.tokens_to_embed * share
        rates = await self._rates(embedding)
        seconds, price = _seconds(rates, to_embed, found.chunks * share), self._price_per_token(embedding)
        unknown: dict[str, str] = {}
        if seconds is None:
            unknown["seconds"] = f"no finished job of this server has measured {embedding.model} yet"
        if price is None:
            unknown["money"] = "the setting embedder.price_per_million_tokens says no price"
        return Estimate(
            documents=documents,
            points=points,
            sampled_documents=found.sampled,
            chunks=round(found.chunks * share),
            tokens=round(found.tokens * share),
            cached_percent=round(100 * (1 - found.tokens_to_embed / max(found.tokens, 1)), 1),
            seconds=None if seconds is None else round(seconds, 1),
            money=None if price is None else round(price * to_embed, 6),
            measured_jobs=rates.jobs,
            unknown=unknown,
        )

    async def _rates(self, embedding: EmbeddingProfile) -> Rates:
        """Of the newest finished jobs on collections of the same model."""
        models = {
            each.name: each.profile.embedding.model
            for each in await self._store.collections()
            if each.profile.embedding is not None
        }
        jobs = await self._store.jobs(limit=JOBS_LOOKED_AT, only=JobFilter(state=JobState.DONE))
        return rates_of(job for job in jobs if models.get(job.collection or "") == embedding.model)


def in_total(estimates: Sequence[Estimate]) -> Estimate:
    """What several builds take, added up; what is unknown of one is unknown of all. `estimates` is not empty."""
    if len(estimates) == 1:
        return estimates[0]
    tokens = sum(each.tokens for each in estimates)
    cached = sum(each.cached_percent * each.tokens for each in estimates) / max(tokens, 1)
    return Estimate(
        documents=sum(each.documents for each in estimates),
        points=sum(each.points for each in estimates),
        sampled_documents=sum(each.sampled_documents for each in estimates),
        chunks=sum(each.chunks for each in estimates),
        tokens=tokens,
        cached_percent=round(cached, 1),
        seconds=_all(each.seconds for each in estimates),
        money=_all(each.money for each in estimates),
        measured_jobs=min(each.measured_jobs for each in estimates),
        unknown={field: why for each in estimates for field, why in each.unknown.items()},
    )


def rates_of(jobs: Iterable[Job]) -> Rates:
    """The rates over all of these jobs together that counted what they did."""
    counted = [job.progress.counts for job in jobs if job.progress.counts.get("chunks")]
    embedding = [counts for counts in counted if counts.get("embedded_tokens")]
    return Rates(
        token_s=_rate(embedding, (EMBEDDING_MS,), "embedded_tokens"),
        chunk_s=_rate(counted, WORK_MS, "chunks"),
        jobs=len(counted),
    )


def _all(known: Iterable[float | None]) -> float | None:
    added = 0.0
    for each in known:
        if each is None:
            return None
        added += each
    return round(added, 6)


def _rate(counted: Sequence[Mapping[str, int]], times: tuple[str, ...], what: str) -> float | None:
    done = sum(counts[what] for counts in counted)
    spent_ms = sum(counts.get(name, 0) for counts in counted for name in times)
    return spent_ms / 1000 / done if done else None


def _seconds(rates: Rates, tokens: float, chunks: float) -> float | None:
    if rates.chunk_s is None or (tokens > 0 and rates.token_s is None):
        return None
    return chunks * rates.chunk_s + tokens * (rates.token_s or 0.0)

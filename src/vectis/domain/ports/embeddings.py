"""Vectors of texts that were computed before: the cache that features ask, and the durable part of it in the control store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from vectis.domain.points import Dense
from vectis.domain.profiles import EmbeddingProfile


class StoredEmbedding(msgspec.Struct, frozen=True):
    """A vector as the store keeps it.

    `profile` is a digest of the embedding profile, `text_hash` of the text with its prefix; `vector` is little-endian float32
    or float16; `cost_us` is what computing it took, in microseconds.
    """

    profile: str
    text_hash: bytes
    vector: bytes
    cost_us: int
    used_at: datetime


class EmbeddingUsage(msgspec.Struct, frozen=True):
    """How many vectors the store keeps and how many bytes they take, indexes not counted."""

    entries: int
    bytes: int


class EmbeddingStore(Protocol):
    """The durable part. Every method may raise StoreUnavailable, and DiskFull when it writes."""

    async def embeddings(self, profile: str, text_hashes: Sequence[bytes]) -> list[StoredEmbedding]:
        """Those that are kept, in any order."""
        ...

    async def put_embeddings(self, embeddings: Sequence[StoredEmbedding]) -> None:
        """Keep them; one that is there stays as it is. Idempotent."""
        ...

    async def touch_embeddings(self, profile: str, text_hashes: Sequence[bytes], now: datetime) -> None:
        """Note that they were used; absent ones are no error."""
        ...

    async def trim_embeddings(self, bytes_max: int) -> int:
        """Remove the least recently used while there are more than `bytes_max`; gives how many went."""
        ...

    async def embedding_usage(self) -> EmbeddingUsage:
        """What is kept now."""
        ...

    async def clear_embeddings(self) -> int:
        """Remove all; gives how many there were."""
        ...


class EmbeddingCache(Protocol):
    """What features ask before they embed. It may forget anything at any time; a miss is never an error, nor is a fault."""

    async def known(self, profile: EmbeddingProfile, texts: Sequence[str]) -> dict[str, Dense]:
        """The vectors that are known of these texts, which carry the profile's prefix already."""
        ...

    async def held(self, profile: EmbeddingProfile, texts: Sequence[str]) -> set[str]:
        """Those texts whose vectors are known. As `known`, but it counts as no use of them."""
        ...

    def remember(self, profile: EmbeddingProfile, vectors: Mapping[str, Dense], took_s: float) -> None:
        """Keep vectors that took `took_s` seconds together to compute; returns at once."""
        ...

    async def clear(self) -> int:
        """Forget everything, here and in the store; gives how many vectors the store held. Raises StoreUnavailable."""
        ...

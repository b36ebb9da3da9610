"""Embedders of MiniLM: the weights are looked for and the model is made once, for whichever profile asks first."""

import asyncio
from pathlib import Path

from vectis.adapters.minilm.embedder import MiniLmEmbedder, MiniLmModel
from vectis.adapters.minilm.shape import DIMENSION, MODEL, SPECIAL_TOKENS, TOKENS_MAX
from vectis.adapters.minilm.weights import MODEL_SHA256, REMEDY, find_weights
from vectis.domain.errors import EmbedderUnavailable, InvalidInput
from vectis.domain.profiles import EmbeddingProfile

RETRY_AFTER_S = 60.0
"""No call heals missing weights; only an installation and a restart do."""

USUAL = EmbeddingProfile(MODEL, MODEL_SHA256, DIMENSION, TOKENS_MAX)


class MiniLmSource:
    """vectis.domain.ports.embedder.EmbedderSource. `weights` None: those of the installed distribution."""

    def __init__(self, weights: Path | None, cache_folder: Path, *, threads: int) -> None:
        self._weights = weights
        self._cache_folder = cache_folder
        self._threads = threads
        self._model: MiniLmModel | None = None
        self._absent = False
        self._making = asyncio.Lock()

    def usual(self, model: str) -> EmbeddingProfile | None:
        """384 dimensions, 256 tokens, no prefixes."""
        return USUAL if model == MODEL else None

    def check(self, profile: EmbeddingProfile, *, at: str) -> None:
        """The weights and the dimension are what they are; fewer tokens and any prefix are possible."""
        wrong = {
            "revision": profile.revision != MODEL_SHA256 and "other weights than those published",
            "dimension": profile.dimension != DIMENSION and f"{MODEL} makes vectors of {DIMENSION} dimensions",
            "max_tokens": not SPECIAL_TOKENS < profile.max_tokens <= TOKENS_MAX
            and f"{MODEL} reads {SPECIAL_TOKENS + 1} to {TOKENS_MAX} tokens, not {profile.max_tokens}",
        }
        for name, why in wrong.items():
            if why:
                raise InvalidInput(f"{at}.{name}: {why}", field=f"{at}.{name}")

    async def embedder(self, profile: EmbeddingProfile) -> MiniLmEmbedder:
        """See the port. The first call reads 90 MB and may build the graph, in a thread."""
        async with self._making:
            if self._model is None and not self._absent:
                self._model = await asyncio.to_thread(self._made)
                self._absent = self._model is None
        if self._model is None:
            raise EmbedderUnavailable(f"no embedder: {REMEDY}", retry_after_s=RETRY_AFTER_S)
        return MiniLmEmbedder(self._model, profile)

    async def close(self) -> None:
        """Finish the batches that run."""
        if self._model is not None:
            await self._model.close()

    def _made(self) -> MiniLmModel | None:
        weights = find_weights(self._weights)
        return None if weights is None else MiniLmModel(weights, self._cache_folder, threads=self._threads)

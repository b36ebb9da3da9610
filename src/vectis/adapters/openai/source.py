"""Embedders of an embeddings endpoint: whichever model it has, one embedder for each profile."""

from vectis.adapters.openai.embedder import TOKENS_MAX, OpenAiEmbedder
from vectis.domain.errors import InvalidInput
from vectis.domain.profiles import EmbeddingProfile

DIMENSION_MAX = 65_536

SHORTENED = "text-embedding-3-"
"""How models begin that can shorten their vectors; others refuse to be asked for a dimension."""


class OpenAiSource:
    """vectis.domain.ports.embedder.EmbedderSource of every model of the endpoint at `base_url`, usually of `dimension`."""

    def __init__(self, base_url: str, api_key: str, dimension: int, *, timeout_s: float) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._dimension = dimension
        self._timeout_s = timeout_s
        self._embedders: list[OpenAiEmbedder] = []

    def usual(self, model: str) -> EmbeddingProfile:
        """Any model; which ones there are only the endpoint knows. It names no version of its weights: the name has to do."""
        return EmbeddingProfile(model, model, self._dimension, TOKENS_MAX)

    def check(self, profile: EmbeddingProfile, *, at: str) -> None:
        """Numbers within bounds; whether the model makes such vectors shows when it is asked."""
        wrong = {
            "revision": profile.revision != profile.model and "an endpoint's model has no other revision than its name",
            "dimension": not 1 <= profile.dimension <= DIMENSION_MAX and f"must be 1 to {DIMENSION_MAX}",
            "max_tokens": not 1 <= profile.max_tokens <= TOKENS_MAX and f"must be 1 to {TOKENS_MAX}",
        }
        for name, why in wrong.items():
            if why:
                raise InvalidInput(f"{at}.{name}: {why}", field=f"{at}.{name}")

    async def embedder(self, profile: EmbeddingProfile) -> OpenAiEmbedder:
        """See the port. The endpoint is not asked. Raises InvalidSetting for an address that is none."""
        made = OpenAiEmbedder(
            base_url=self._base_url,
            api_key=self._api_key,
            model=profile.model,
            dimension=profile.dimension,
            request_dimensions=profile.model.startswith(SHORTENED),
            max_tokens=profile.max_tokens,
            query_prefix=profile.query_prefix,
            document_prefix=profile.document_prefix,
            timeout_s=self._timeout_s,
        )
        self._embedders.append(made)
        return made

    async def close(self) -> None:
        """Close the connections."""
        for each in self._embedders:
            await each.close()

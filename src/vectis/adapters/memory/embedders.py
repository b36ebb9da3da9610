"""Embedders that are given: for tests, and for users who test their own code."""

from vectis.domain.errors import EmbedderUnavailable, InvalidInput
from vectis.domain.ports.embedder import Embedder
from vectis.domain.profiles import EmbeddingProfile


class MemoryEmbedders:
    """vectis.domain.ports.embedder.EmbedderSource of the given embedders' profiles. `away`: none can be had."""

    def __init__(self, *embedders: Embedder) -> None:
        self._embedders = {embedder.profile: embedder for embedder in embedders}
        self.away = False

    def usual(self, model: str) -> EmbeddingProfile | None:
        """The first of the profiles with this model."""
        return next((profile for profile in self._embedders if profile.model == model), None)

    def check(self, profile: EmbeddingProfile, *, at: str) -> None:
        """Refuses every profile but those given, in the name of the first field that differs from the usual one."""
        usual = self.usual(profile.model)
        if usual is not None and profile not in self._embedders:
            fields = profile.__struct_fields__
            name = next(name for name in fields if getattr(profile, name) != getattr(usual, name))
            raise InvalidInput(f"{at}.{name}: no embedder was given for it", field=f"{at}.{name}")

    async def embedder(self, profile: EmbeddingProfile) -> Embedder:
        """See the port."""
        if self.away:
            raise EmbedderUnavailable("the embedders are away")
        return self._embedders[profile]

    async def close(self) -> None:
        """Nothing to release."""

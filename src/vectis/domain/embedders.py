"""The embedders of a process, by embedding profile: collections of several profiles are served side by side."""

from collections.abc import Sequence

from msgspec import structs

from vectis.domain.errors import Conflict, EmbedderUnavailable, InvalidInput
from vectis.domain.ports.embedder import Embedder, EmbedderSource
from vectis.domain.profiles import PREFIX_MAX, EmbeddingProfile, EmbeddingWishes

RETRY_AFTER_S = 60.0
"""No call heals a server without a model; only a setting and a restart do."""


class Embedders:
    """`usual` is the profile of collections that name none. Without `sources` there are no vectors, for the reason `without`."""

    def __init__(self, usual: EmbeddingProfile, sources: Sequence[EmbedderSource], *, without: str = "") -> None:
        self.usual = usual
        self._sources = sources
        self._without = without
        self._known: dict[EmbeddingProfile, Embedder] = {}

    async def of(self, profile: EmbeddingProfile) -> Embedder:
        """The embedder that makes vectors of exactly this profile; it is kept.

        Raises EmbedderUnavailable when there is no model at all or it is not here; Conflict when this server's models cannot
        make such vectors.
        """
        known = self._known.get(profile)
        if known is not None:
            return known
        self._require_sources()
        try:
            source, _ = self._source(profile.model, at="embedding")
            source.check(profile, at="embedding")
        except InvalidInput as error:
            raise Conflict(
                f"vectors were made by {profile.model} ({profile.revision[:12]}), which this server cannot do: {error.message}; "
                "start it with that model, or build another collection",
                field=error.fields.get("field"),
            ) from None
        return self._known.setdefault(profile, await source.embedder(profile))

    def tailored(self, base: EmbeddingProfile, wishes: EmbeddingWishes, *, at: str) -> EmbeddingProfile:
        """`base` with the wishes, of the weights that are here.

        Raises InvalidInput, naming the field below `at`; EmbedderUnavailable when there is no model at all.
        """
        self._require_sources()
        source, usual = self._source(wishes.model or base.model, at=at)
        start = structs.replace(base, revision=usual.revision) if usual.model == base.model else usual
        given = {name: value for name, value in structs.asdict(wishes).items() if value is not None}
        profile = structs.replace(start, **given)
        for name in ("query_prefix", "document_prefix"):
            if len(getattr(profile, name)) > PREFIX_MAX:
                raise InvalidInput(f"{at}.{name}: a prefix has {PREFIX_MAX} characters at most", field=f"{at}.{name}")
        source.check(profile, at=at)
        return profile

    async def close(self) -> None:
        """Release what the sources hold; later calls raise EmbedderUnavailable."""
        for source in self._sources:
            await source.close()

    def _source(self, model: str, *, at: str) -> tuple[EmbedderSource, EmbeddingProfile]:
        for source in self._sources:
            if (usual := source.usual(model)) is not None:
                return source, usual
        raise InvalidInput(
            f"{at}.model: this server has no model {model[:80]!r}; it has {self.usual.model}", field=f"{at}.model"
        )

    def _require_sources(self) -> None:
        if not self._sources:
            raise EmbedderUnavailable(f"no embedder: {self._without}", retry_after_s=RETRY_AFTER_S)

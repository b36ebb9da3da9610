"""Which embedder serves a profile, and which profiles can be wished for."""

import pytest

from vectis.adapters.memory.embedders import MemoryEmbedders
from vectis.adapters.minilm.source import USUAL, MiniLmSource
from vectis.adapters.openai.source import OpenAiSource
from vectis.domain.embedders import Embedders
from vectis.domain.errors import Conflict, EmbedderUnavailable, InvalidInput
from vectis.domain.profiles import EmbeddingProfile, EmbeddingWishes


@pytest.fixture
def embedders(tmp_path) -> Embedders:
    """MiniLM, whose weights are not needed here, and an endpoint."""
    minilm = MiniLmSource(tmp_path, tmp_path, threads=1)
    return Embedders(USUAL, (minilm, OpenAiSource("http://127.0.0.1:1/v1", "", 1536, timeout_s=1)))


def test_what_is_not_wished_stays(embedders: Embedders) -> None:
    base = embedders.tailored(USUAL, EmbeddingWishes(max_tokens=64, query_prefix="query: "), at="embedding")
    assert (base.max_tokens, base.query_prefix, base.revision) == (64, "query: ", USUAL.revision)
    assert embedders.tailored(base, EmbeddingWishes(query_prefix=""), at="embedding").max_tokens == 64


def test_another_model_begins_as_it_usually_is(embedders: Embedders) -> None:
    found = embedders.tailored(
        EmbeddingProfile(USUAL.model, USUAL.revision, 384, 64, "q: "), EmbeddingWishes(model="m", dimension=8), at="e"
    )
    assert found == EmbeddingProfile("m", "m", 8, 8191)


def test_the_weights_are_those_that_are_here(embedders: Embedders) -> None:
    old = EmbeddingProfile(USUAL.model, "older weights", 384, 256)
    assert embedders.tailored(old, EmbeddingWishes(), at="embedding") == USUAL


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        (EmbeddingWishes(max_tokens=257), "max_tokens"),
        (EmbeddingWishes(max_tokens=2), "max_tokens"),
        (EmbeddingWishes(dimension=383), "dimension"),
        (EmbeddingWishes(query_prefix="x" * 1001), "query_prefix"),
        (EmbeddingWishes(document_prefix="x" * 1001), "document_prefix"),
        (EmbeddingWishes(model="m", dimension=0), "dimension"),
        (EmbeddingWishes(model="m", max_tokens=100_000), "max_tokens"),
    ],
)
def test_what_a_model_cannot_do_is_named(embedders: Embedders, wishes: EmbeddingWishes, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        embedders.tailored(USUAL, wishes, at="build.embedding")
    assert refused.value.fields["field"] == f"build.embedding.{field}"


async def test_an_embedder_is_made_once(embedders: Embedders) -> None:
    profile = EmbeddingProfile("m", "m", 8, 100, "q: ")
    made = await embedders.of(profile)
    assert made.profile == profile
    assert await embedders.of(EmbeddingProfile("m", "m", 8, 100, "q: ")) is made
    await embedders.close()


async def test_a_model_that_is_not_here_is_away_and_one_that_is_not_served_is_refused(embedders: Embedders) -> None:
    with pytest.raises(EmbedderUnavailable, match="models install minilm"):
        await embedders.of(USUAL)
    with pytest.raises(Conflict, match="other weights"):
        await embedders.of(EmbeddingProfile(USUAL.model, "older weights", 384, 256))
    with pytest.raises(Conflict, match="no model 'letters'"):
        await Embedders(USUAL, (MemoryEmbedders(),)).of(EmbeddingProfile("letters", "1", 8, 64))


async def test_without_models_everything_says_why() -> None:
    embedders = Embedders(USUAL, (), without="it is switched off")
    with pytest.raises(EmbedderUnavailable, match="switched off") as refused:
        await embedders.of(USUAL)
    assert refused.value.retry_after_s > 1
    with pytest.raises(EmbedderUnavailable, match="switched off"):
        embedders.tailored(USUAL, EmbeddingWishes(max_tokens=64), at="embedding")

"""Searches by examples, of documents and of own vectors."""

from array import array
from typing import Any

import pytest
from msgspec.structs import replace
from passes import reads
from search_library import COLD, WARM, Library

from vectis.catalog.profiles import vectors_profile
from vectis.domain.collections import Collection
from vectis.domain.errors import (
    DocumentNotFound,
    EmbedderUnavailable,
    EmptyQuery,
    InvalidInput,
    LimitExceeded,
    PointNotFound,
    Unsupported,
    WrongDimension,
)
from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.points import Point
from vectis.domain.profiles import DENSE, DOCUMENT_DENSE
from vectis.domain.schema import DenseParams
from vectis.search.requests import Example, Hit, SimilarSearch, TextSearch

FIRE, ICE, LAMP = Example("fire"), Example("ice"), Example("lamp")


@pytest.fixture(params=[True, False], ids=["whole", "chunks-only"])
async def library(request: pytest.FixtureRequest) -> Library:
    library = Library(whole=request.param)
    await library.fill()
    return library


async def find(library: Library, *positive: Example, **given: Any) -> list[Hit]:
    return (await library.service.similar(reads("docs"), SimilarSearch(positive=positive, **given))).hits


async def test_what_is_like_a_document_comes_by_likeness_and_without_it(library: Library) -> None:
    hits = await find(library, FIRE, explain=True)
    assert [hit.id for hit in hits] == ["lamp", "ice"]
    wanted = {DENSE, DOCUMENT_DENSE} if library.whole else {DENSE}
    for hit in hits:
        assert set(hit.reasons.contributions) == wanted
        assert sum(hit.reasons.contributions.values()) == pytest.approx(hit.score)
    assert library.measured[-1].mode == "similar"


async def test_negative_examples_turn_the_order(library: Library) -> None:
    assert [hit.id for hit in await find(library, LAMP)] == ["fire", "ice"]
    texts = [Example(text="cold")]
    assert (await find(library, Example(vector=array("f", [0.6, 0.6])), negative=texts))[0].id == "fire"
    assert [hit.id for hit in await find(library, LAMP, negative=[FIRE])] == ["ice"]


async def test_texts_and_vectors_are_examples_too(library: Library) -> None:
    assert (await find(library, Example(text="something cold")))[0].id == "ice"
    assert (await find(library, Example(vector=WARM)))[0].id == "fire"
    assert (await find(library, Example(vector=COLD), limit=1, offset=1))[0].id == "lamp"


async def test_a_filter_holds_beside_the_examples(library: Library) -> None:
    lamps_or_ice = Filter(should=[Condition(key="kind", match=Match(value=kind)) for kind in "li"])
    assert {hit.id for hit in await find(library, ICE, filter=lamps_or_ice)} == {"lamp"}


async def test_diversity_puts_the_unlike_before_the_like(library: Library) -> None:
    question = TextSearch(query="warm bright flames", group=False)
    plain = (await library.service.search_text(reads("docs"), question)).hits
    spread = (await library.service.search_text(reads("docs"), replace(question, diversity=0.9))).hits
    assert plain[0] == spread[0]
    assert sorted(hit.id for hit in plain) == sorted(hit.id for hit in spread)
    before, after = ([hit.payload["document_id"] for hit in hits[:2]] for hits in (plain, spread))
    assert "ice" not in before
    assert after == ["fire", "ice"]
    window = (
        await library.service.search_text(reads("docs"), replace(question, diversity=0.9, offset=1, limit=1))
    ).hits
    assert window == spread[1:2]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"positive": ()}, InvalidInput),
        ({"positive": (Example(),)}, InvalidInput),
        ({"positive": (Example("fire", text="fire"),)}, InvalidInput),
        ({"positive": (FIRE,) * 65}, LimitExceeded),
        ({"positive": (Example(text="x" * 100_001),)}, LimitExceeded),
        ({"positive": (Example(text=" \n"),)}, EmptyQuery),
        ({"positive": (FIRE,), "negative": (Example(text=""),)}, EmptyQuery),
        ({"positive": (Example(vector=array("f", [0.0, 0.0])),)}, InvalidInput),
        ({"positive": (Example(vector=WARM), Example(vector=array("f", [-1.0, 0.0])))}, InvalidInput),
        ({"positive": (Example("nobody"),)}, DocumentNotFound),
        ({"positive": (FIRE,), "negative": (Example("nobody"),)}, DocumentNotFound),
        ({"positive": (Example(vector=array("f", [1.0])),)}, WrongDimension),
        ({"positive": (FIRE,), "using": "sparse"}, InvalidInput),
        ({"positive": (FIRE,), "diversity": 1.5}, InvalidInput),
    ],
)
async def test_what_cannot_be_an_example_is_refused(library: Library, given: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await library.service.similar(reads("docs"), SimilarSearch(**given))


async def test_documents_need_no_embedder_and_texts_do(library: Library) -> None:
    library.embedder.away = True
    assert (await find(library, FIRE))[0].id == "lamp"
    with pytest.raises(EmbedderUnavailable):
        await find(library, Example(text="cold"))


async def test_modes_of_one_vector_rank_without_diversity(library: Library) -> None:
    with pytest.raises(InvalidInput, match="diversity"):
        await library.ask("warm", mode="sparse", diversity=0.5)


async def test_own_vectors_are_compared_as_points() -> None:
    library = Library(whole=True)
    await library.fill()
    profile = vectors_profile()
    schema = replace(profile.schema, dense={"image": DenseParams(size=2)}, sparse={}, quantization=None)
    await library.reader.engine.create("own", schema)
    points = [Point(number, {"image": array("f", v)}) for number, v in enumerate([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]])]
    await library.reader.engine.upsert("own", points)
    library.collection = Collection("own", replace(profile, schema=schema), library.clock.now())
    assert [hit.id for hit in await find(library, Example(0))] == [1, 2, 3]
    assert [hit.id for hit in await find(library, Example(1), negative=[Example(0)], using="image")] == [2, 3]
    for given, error in (
        ({"positive": (Example(9),)}, PointNotFound),
        ({"positive": (Example("fire"),)}, InvalidInput),
        ({"positive": (Example(text="fire"),)}, Unsupported),
        ({"positive": (Example(0),), "diversity": 0.5}, Unsupported),
    ):
        with pytest.raises(error):
            await library.service.similar(reads("own"), SimilarSearch(**given))

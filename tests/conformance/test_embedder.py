"""What the port Embedder promises, held against every adapter that makes vectors."""

import asyncio
import math
import socket
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import shake_256

import msgspec
import pytest
import uvicorn

from vectis.adapters.minilm.embedder import MiniLmEmbedder, MiniLmModel
from vectis.adapters.minilm.source import USUAL
from vectis.adapters.minilm.weights import find_weights
from vectis.adapters.openai.embedder import OpenAiEmbedder
from vectis.domain.ports.embedder import Embedder

DIMENSION = 64
TEXTS = [
    "A lever is a beam on a fulcrum.",
    "naïve café — résumé",
    "",
    "日本語 text",
    "fulcrum " * 2_000,
    "x" * 50_000,
    "C:\\path\\n\x00\ud800 not quite text",
    "one",
]


async def embeddings(scope, receive, send):
    """An ASGI endpoint whose vectors are a function of the text alone; they come back in no order."""
    if scope["type"] != "http":
        return
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message.get("more_body"):
            break
    texts = msgspec.json.decode(body)["input"]
    found = [
        {"index": i, "embedding": [b - 127.5 for b in shake_256(t.encode()).digest(DIMENSION)]}
        for i, t in enumerate(texts)
    ]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": msgspec.json.encode({"data": found[1:] + found[:1]})})


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(embeddings, lifespan="off", log_level="error"))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    server.should_exit = True
    await running


@pytest.fixture(scope="module")
def graph_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("minilm")


@pytest.fixture(params=["minilm", "openai"])
async def embedder(request, graph_folder) -> AsyncIterator[Embedder]:
    if request.param == "minilm":
        weights = find_weights()
        assert weights is not None
        model = MiniLmModel(weights, graph_folder)
        yield MiniLmEmbedder(model, USUAL)
        await model.close()
    else:
        async with serving() as url:
            made = OpenAiEmbedder(url, "", "deterministic", DIMENSION, batch_texts_max=3)
            yield made
            await made.close()


def cosine(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


async def test_one_float32_vector_of_unit_length_per_text(embedder):
    vectors = await embedder.embed_documents(TEXTS)
    assert len(vectors) == len(TEXTS)
    for vector in [*vectors, await embedder.embed_query("lever")]:
        assert isinstance(vector, array)
        assert vector.typecode == "f"
        assert len(vector) == embedder.profile.dimension
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)


async def test_vectors_are_in_the_order_of_texts_alone_and_in_a_batch(embedder):
    together = await embedder.embed_documents(TEXTS)
    alone = [(await embedder.embed_documents([text]))[0] for text in TEXTS]
    backwards = (await embedder.embed_documents(TEXTS[::-1]))[::-1]
    for place in range(len(TEXTS)):
        assert cosine(together[place], alone[place]) > 0.9999
        assert cosine(together[place], backwards[place]) > 0.9999
    assert cosine(together[0], together[-1]) < 0.9


async def test_the_same_text_twice_gives_the_same_vector_twice(embedder):
    first, _, second = await embedder.embed_documents(["lever", "a longer text about fulcrums", "lever"])
    assert cosine(first, second) > 0.9999


async def test_a_query_without_prefix_is_embedded_as_a_document(embedder):
    assert (embedder.profile.query_prefix, embedder.profile.document_prefix) == ("", "")
    for text in TEXTS:
        assert cosine(await embedder.embed_query(text), (await embedder.embed_documents([text]))[0]) > 0.9999


async def test_no_texts_give_no_vectors(embedder):
    assert await embedder.embed_documents([]) == []


async def test_eight_callers_at_once_get_their_own_answers(embedder):
    async def call(number: int) -> None:
        texts = [f"caller {number} says {word}" for word in ("lever", "fulcrum " * number, "engine", "load")]
        query = f"caller {number} asks"
        vectors, answer = await asyncio.gather(embedder.embed_documents(texts), embedder.embed_query(query))
        again = await embedder.embed_documents([*texts, query])
        assert all(cosine(a, b) > 0.9999 for a, b in zip([*vectors, answer], again, strict=True))

    await asyncio.gather(*(call(number) for number in range(8)))


async def test_many_texts_of_all_lengths(embedder):
    texts = [f"text {n} " + "lever " * (n * 7 % 61) for n in range(100)]
    vectors = await embedder.embed_documents(texts)
    for place in (0, 13, 50, 99):
        assert cosine(vectors[place], (await embedder.embed_documents([texts[place]]))[0]) > 0.9999


async def test_tokens_are_counted_without_truncation(embedder):
    assert embedder.count_tokens("") == 0
    assert embedder.count_tokens("lever") >= 1
    assert embedder.count_tokens("lever " * 20_000) >= 20_000


async def test_the_profile_stays_the_same(embedder):
    before = embedder.profile
    await embedder.embed_query("lever")
    assert embedder.profile == before
    assert before.dimension > 0
    assert before.revision

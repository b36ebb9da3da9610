"""The embedder against an endpoint that misbehaves in every way that endpoints do."""

import asyncio
import json
import logging
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from vectis.adapters.openai.embedder import OpenAiEmbedder
from vectis.domain.errors import EmbedderUnavailable, InvalidSetting

KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture
async def embedder(endpoint):
    embedder = OpenAiEmbedder(endpoint.url, KEY, "m", 3, retry_wait_s=0.01)
    yield embedder
    await embedder.close()


def unit(*values):
    return pytest.approx([value / math.hypot(*values) for value in values], abs=1e-6)


async def test_vectors_come_in_order_and_of_unit_length(embedder):
    vectors = await embedder.embed_documents(["a", "bb", "cccc"])
    assert [list(vector) for vector in vectors] == [unit(1, 1, 0), unit(2, 2, 0), unit(4, 3, 0)]


async def test_the_request_is_what_the_interface_asks_for(embedder, endpoint):
    await embedder.embed_query("lever")
    assert endpoint.bodies == [{"model": "m", "input": ["lever"]}]
    assert f"authorization: bearer {KEY}" in endpoint.headers[0].lower()
    assert endpoint.headers[0].startswith("POST /v1/embeddings ")


async def test_dimensions_and_prefixes_are_sent_when_asked_for(endpoint):
    embedder = OpenAiEmbedder(
        endpoint.url, "", "m", 3, request_dimensions=True, query_prefix="query: ", document_prefix="passage: "
    )
    await embedder.embed_query("lever")
    await embedder.embed_documents(["fulcrum"])
    await embedder.close()
    assert endpoint.bodies[0] == {"model": "m", "input": ["query: lever"], "dimensions": 3}
    assert endpoint.bodies[1]["input"] == ["passage: fulcrum"]
    assert "authorization" not in endpoint.headers[0].lower()
    assert (embedder.profile.query_prefix, embedder.profile.document_prefix) == ("query: ", "passage: ")


async def test_requests_are_bounded_in_texts_tokens_and_number(endpoint):
    embedder = OpenAiEmbedder(endpoint.url, KEY, "m", 3, batch_texts_max=4, batch_tokens_max=10)
    texts = ["word " * n for n in (1, 1, 1, 1, 1, 9, 2, 30, 1)]
    vectors = await embedder.embed_documents(texts)
    assert sorted(len(body["input"]) for body in endpoint.bodies) == [1, 1, 1, 2, 4]
    assert [
        round(vector[0] / vector[1] * place) for vector, place in zip(vectors, (1, 2, 3, 4, 1, 2, 1, 1, 1), strict=True)
    ] == [len(text) for text in texts]
    endpoint.script = [0.05] * 20
    await embedder.embed_documents(["word " * 9] * 12)
    assert endpoint.under_way_max == 4
    await embedder.close()


async def test_a_text_is_cut_to_what_the_model_takes(endpoint):
    embedder = OpenAiEmbedder(endpoint.url, KEY, "m", 3, max_tokens=5)
    await embedder.embed_documents(["one two six ten elf far beyond", "short", ""])
    await embedder.close()
    assert endpoint.bodies[0]["input"] == ["one two six ten elf ", "short", " "]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_passing_failures_are_tried_again(embedder, endpoint, status):
    endpoint.script = [(status, {}, b"{}"), (status, {}, b"{}")]
    assert list(await embedder.embed_query("a")) == unit(1, 1, 0)
    assert len(endpoint.bodies) == 3


@pytest.mark.parametrize("raw", [b"", b"no http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"])
async def test_broken_connections_are_tried_again(embedder, endpoint, raw):
    endpoint.script = [raw]
    assert len(await embedder.embed_query("a")) == 3
    assert len(endpoint.bodies) == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_is_honoured(embedder, endpoint, form):
    value = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    endpoint.script = [(429, {"Retry-After": value}, b"{}")]
    await embedder.embed_query("a")
    assert endpoint.at[1] - endpoint.at[0] > 0.9  # a wait of its own would be 0.02 s at most


async def test_a_wait_beyond_the_deadline_is_handed_on(embedder, endpoint):
    endpoint.script = [(429, {"Retry-After": "3600"}, b"slow down")]
    with pytest.raises(EmbedderUnavailable, match="answers 429: slow down") as error:
        await embedder.embed_query("a")
    assert error.value.retry_after_s == 3600
    assert len(endpoint.bodies) == 1


async def test_the_deadline_holds_for_all_tries_together(endpoint):
    embedder = OpenAiEmbedder(endpoint.url, KEY, "m", 3, query_deadline_s=0.8)
    endpoint.script = [(503, {}, b"")] * 50
    with pytest.raises(EmbedderUnavailable, match=r"within 0\.8 s"):
        await asyncio.wait_for(embedder.embed_query("a"), 10)
    await embedder.close()


async def test_one_slow_answer_is_tried_again(endpoint):
    embedder = OpenAiEmbedder(endpoint.url, KEY, "m", 3, timeout_s=1.0, document_deadline_s=60.0, retry_wait_s=0.01)
    endpoint.script = [60.0]
    assert len(await asyncio.wait_for(embedder.embed_documents(["a"]), 60)) == 1
    await embedder.close()


async def test_slow_answers_are_given_up(endpoint):
    embedder = OpenAiEmbedder(endpoint.url, KEY, "m", 3, timeout_s=0.2, document_deadline_s=0.9, retry_wait_s=0.01)
    endpoint.script = [5.0] * 9
    with pytest.raises(EmbedderUnavailable, match=r"within 0\.9 s|ReadTimeout"):
        await asyncio.wait_for(embedder.embed_documents(["a"]), 10)
    await embedder.close()


@pytest.mark.parametrize(
    ("status", "says"), [(400, "too long"), (401, "check the key"), (404, "at /v1/embeddings"), (301, "301")]
)
async def test_lasting_refusals_are_said_at_once(embedder, endpoint, status, says):
    endpoint.script = [(status, {}, b'{"error": {"message": "too long"}}')]
    with pytest.raises(EmbedderUnavailable, match=says) as error:
        await embedder.embed_query("a")
    assert error.value.fields["status"] == status
    assert len(endpoint.bodies) == 1


async def test_another_dimension_names_both_numbers(embedder, endpoint):
    endpoint.script = [0.0]
    wrong = OpenAiEmbedder(endpoint.url, KEY, "m", 768)
    with pytest.raises(EmbedderUnavailable, match="vector of 3 dimensions, but is configured for 768") as error:
        await wrong.embed_query("a")
    await wrong.close()
    assert (error.value.fields["given"], error.value.fields["expected"]) == (3, 768)


ITEM = '{"index": %d, "embedding": [1, 0, 0]}'


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"",
        b"[]",
        b'{"data": "none"}',
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"more": ' + b"[" * 100_000,
        b'{"data": []}',
        f'{{"data": [{ITEM % 0}]}}'.encode(),
        f'{{"data": [{ITEM % 1}, {ITEM % 2}]}}'.encode(),
        f'{{"data": [{ITEM % 0}, {ITEM % 0}]}}'.encode(),
        b'{"data": [{"index": 0, "embedding": [0, 0, 0]}, {"index": 1, "embedding": [1, 0, 0]}]}',
        b'{"data": [{"index": 0, "embedding": [1.7e308, 1.7e308, 0]}, {"index": 1, "embedding": [1, 0, 0]}]}',
        b'{"data": [{"index": 0, "embedding": [NaN, 0, 0]}, {"index": 1, "embedding": [1, 0, 0]}]}',
    ],
)
async def test_an_answer_that_is_no_embeddings_is_an_error(embedder, endpoint, body):
    endpoint.script = [(200, {}, body)]
    with pytest.raises(EmbedderUnavailable, match=r"embeddings endpoint|no direction"):
        await embedder.embed_documents(["a", "b"])


async def test_one_failing_request_ends_the_call(endpoint):
    embedder = OpenAiEmbedder(endpoint.url, KEY, "m", 3, batch_texts_max=1)
    endpoint.script = [(400, {}, b"bad text")]
    with pytest.raises(EmbedderUnavailable, match="bad text"):
        await embedder.embed_documents(["a", "b", "c"])
    await embedder.close()


async def test_an_endpoint_that_is_not_there_is_unavailable():
    embedder = OpenAiEmbedder("http://127.0.0.1:9/v1", KEY, "m", 3, query_deadline_s=1)
    with pytest.raises(EmbedderUnavailable):
        await embedder.embed_query("a")
    await embedder.close()


async def test_the_key_is_in_no_message_and_no_log(embedder, endpoint, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    endpoint.script = [(500, {}, b""), (401, {}, json.dumps({"error": f"wrong key {KEY}"}).encode())]
    with pytest.raises(EmbedderUnavailable) as error:
        await embedder.embed_query("a secret text")
    output = "".join(capsys.readouterr())
    for said in (
        str(error.value),
        repr(error.value),
        repr(error.value.fields),
        caplog.text,
        output,
        repr(embedder.__dict__),
    ):
        assert KEY not in said
    assert "a secret text" not in caplog.text + output


@pytest.mark.parametrize("url", ["", "localhost:80/v1", "ftp://host/v1", "http://", "http://[::1/v1"])
def test_an_address_that_cannot_work_is_a_wrong_setting(url):
    with pytest.raises(InvalidSetting, match="no address"):
        OpenAiEmbedder(url, KEY, "m", 3)

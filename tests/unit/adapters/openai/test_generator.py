"""The generator against an endpoint that answers rightly and otherwise."""

import gzip
import json

import pytest

from vectis.adapters.absent.generator import AbsentGenerator
from vectis.adapters.openai.endpoint import ANSWER_BYTES_MAX
from vectis.adapters.openai.generator import EndpointGenerator
from vectis.domain.errors import GeneratorUnavailable
from vectis.domain.ports.generator import Completion

KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture
async def generator(endpoint):
    generator = EndpointGenerator(endpoint.url, KEY, "writer", retry_wait_s=0.01)
    yield generator
    await generator.close()


def completion(content: str | None) -> bytes:
    message = {"role": "assistant", "content": content}
    return json.dumps({"choices": [{"index": 0, "message": message}], "usage": {"total_tokens": 42}}).encode()


async def test_the_request_is_what_the_interface_asks_for(generator, endpoint):
    endpoint.script = [(200, {}, completion("A lever is a beam."))]
    written = await generator.complete("What is a \ud800 lever?", temperature=0.7, max_tokens=200)
    assert written == Completion("A lever is a beam.", 42)
    assert endpoint.headers[0].startswith("POST /v1/chat/completions ")
    assert f"authorization: bearer {KEY}" in endpoint.headers[0].lower()
    messages = [{"role": "user", "content": "What is a ? lever?"}]
    assert endpoint.bodies == [{"model": "writer", "messages": messages, "temperature": 0.7, "max_tokens": 200}]


async def test_a_busy_endpoint_is_asked_again(generator, endpoint):
    endpoint.script = [(503, {}, b"busy"), (200, {}, completion("yes"))]
    assert (await generator.complete("?", temperature=0, max_tokens=1)).text == "yes"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"choices": [], "usage": {"total_tokens": 1}}',
        completion(" "),
        completion(None),
        completion("a lever").replace(b"42", b"-42"),
        b"[" * 10_000,
    ],
)
async def test_an_answer_that_is_no_completion_is_an_error(generator, endpoint, body):
    endpoint.script = [(200, {}, body)]
    with pytest.raises(GeneratorUnavailable, match="chat completion endpoint"):
        await generator.complete("?", temperature=0, max_tokens=1)


@pytest.mark.parametrize("status", [200, 400])
async def test_an_answer_without_end_is_not_read_to_its_end(generator, endpoint, status):
    endlessly = gzip.compress(b" " * (ANSWER_BYTES_MAX + 1))
    endpoint.script = [(status, {"content-encoding": "gzip"}, endlessly)]
    with pytest.raises(GeneratorUnavailable, match=f"more than {ANSWER_BYTES_MAX} bytes"):
        await generator.complete("?", temperature=0, max_tokens=1)
    assert len(endpoint.bodies) == 1


async def test_a_refusal_does_not_repeat_the_key(generator, endpoint):
    endpoint.script = [(401, {}, f"wrong key {KEY}".encode())]
    with pytest.raises(GeneratorUnavailable, match="check the key") as refused:
        await generator.complete("?", temperature=0, max_tokens=1)
    assert KEY not in str(refused.value)


async def test_one_that_is_absent_says_the_remedy():
    absent = AbsentGenerator()
    with pytest.raises(GeneratorUnavailable, match=r"generator\.url"):
        await absent.complete("?", temperature=0, max_tokens=1)
    with pytest.raises(GeneratorUnavailable):
        _ = absent.model
    await absent.close()

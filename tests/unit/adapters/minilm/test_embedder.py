"""MiniLM against the reference vectors, and its behaviour under load and when closed. Promises of the port: conformance."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from vectis.adapters.minilm.embedder import MiniLmEmbedder, MiniLmModel
from vectis.adapters.minilm.source import USUAL, MiniLmSource
from vectis.domain.errors import EmbedderUnavailable, InvalidSetting

REFERENCE = Path(__file__).parents[3] / "fixtures" / "minilm-reference.jsonl"


def cosine(a, b) -> float:
    norm = sum(x * x for x in a) ** 0.5 * sum(x * x for x in b) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / norm


async def test_the_vectors_are_those_of_sentence_transformers(embedder):
    reference = [json.loads(line) for line in REFERENCE.read_text(encoding="utf-8").splitlines()]
    assert len(reference) == 24
    vectors = await embedder.embed_documents([entry["text"] for entry in reference])
    cosines = [cosine(vector, entry["vector"]) for vector, entry in zip(vectors, reference, strict=True)]
    assert min(cosines) >= 0.9999


async def test_a_query_gets_the_reference_vector_too(embedder):
    entry = json.loads(REFERENCE.read_text(encoding="utf-8").splitlines()[0])
    assert cosine(await embedder.embed_query(entry["text"]), entry["vector"]) >= 0.9999


async def test_the_profile_names_the_weights(embedder, weights):
    profile = embedder.profile
    assert (profile.model, profile.dimension, profile.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)
    assert profile.revision == weights.revision


async def test_texts_beyond_the_truncation_differ_in_nothing(embedder):
    words = "engine " * 254
    same, longer, shorter = await embedder.embed_documents([words, words + "harbour " * 100, "engine " * 20])
    assert cosine(same, longer) > 0.999999
    assert cosine(same, shorter) < 0.9999


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello world", 2), ("embedding", 3), ("日本語", 3), ("a " * 600, 600), ("x" * 101, 1)],
)
async def test_tokens_are_counted_without_special_ones_and_without_truncation(embedder, text, tokens):
    assert embedder.count_tokens(text) == tokens


async def test_the_event_loop_is_free_while_documents_are_embedded(embedder):
    work = asyncio.create_task(embedder.embed_documents(["the lever and the fulcrum " * 40] * 24))
    turns = 0
    while not work.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert len(await work) == 24
    # 12 batches run: a loop that waited for each of them would come round about as often.
    assert turns > 48


async def test_queries_are_answered_while_documents_are_embedded(embedder):
    work = asyncio.create_task(embedder.embed_documents(["the lever and the fulcrum " * 40] * 200))
    await embedder.embed_query("lever")
    assert not work.done()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_a_query_given_up_harms_no_other(embedder):
    kept, given_up = (asyncio.create_task(embedder.embed_query(text)) for text in ("kept", "given up"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert len(await kept) == 384
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_closing_answers_everyone_and_refuses_the_rest(weights, graph_folder):
    model = MiniLmModel(weights, graph_folder, threads=1)
    embedder = MiniLmEmbedder(model, USUAL)
    asked = [asyncio.create_task(embedder.embed_query(f"question {n}")) for n in range(100)]
    await asyncio.sleep(0)
    await model.close()
    answers = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)
    assert all(isinstance(answer, EmbedderUnavailable) or len(answer) == 384 for answer in answers)
    with pytest.raises(EmbedderUnavailable, match="closed"):
        await embedder.embed_query("late")
    with pytest.raises(EmbedderUnavailable, match="closed"):
        await embedder.embed_documents(["late"])


async def test_closing_ends_an_ingest_with_a_typed_error(weights, graph_folder):
    model = MiniLmModel(weights, graph_folder, threads=1)
    embedder = MiniLmEmbedder(model, USUAL)
    work = asyncio.create_task(embedder.embed_documents(["the lever and the fulcrum " * 40] * 200))
    await embedder.embed_query("lever")
    await model.close()
    with pytest.raises(EmbedderUnavailable):
        await asyncio.wait_for(work, 30)


def test_no_threads_is_a_wrong_setting(weights, graph_folder):
    with pytest.raises(InvalidSetting, match="thread"):
        MiniLmModel(weights, graph_folder, threads=0)


async def test_profiles_of_one_model_differ_in_what_they_read(weights, graph_folder):
    source = MiniLmSource(weights.model.parent, graph_folder, threads=1)
    usual = await source.embedder(USUAL)
    short = await source.embedder(replace(USUAL, max_tokens=4))
    prefixed = await source.embedder(replace(USUAL, query_prefix="harbour ", document_prefix="lantern "))
    whole, of_short, of_prefixed = await asyncio.gather(
        *(each.embed_query("the lever and the fulcrum") for each in (usual, short, prefixed))
    )
    assert cosine(of_short, await usual.embed_query("the lever")) > 0.9999 > cosine(of_short, whole)
    assert cosine(of_prefixed, await usual.embed_query("harbour the lever and the fulcrum")) > 0.9999
    document, plain = await prefixed.embed_documents(["lever"]), await usual.embed_documents(["lantern lever"])
    assert cosine(document[0], plain[0]) > 0.9999
    await source.close()
    with pytest.raises(EmbedderUnavailable, match="closed"):
        await short.embed_query("late")

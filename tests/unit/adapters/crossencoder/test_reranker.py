"""Models of a local folder: which are taken, which are refused, and that a text is cut before a query."""

from pathlib import Path

import pytest
from crossencoder_model import write_model

from vectis.adapters.crossencoder.reranker import CrossEncoderReranker
from vectis.domain.errors import InvalidSetting


async def test_a_model_may_stand_in_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")
    reranker = CrossEncoderReranker(folder, threads=1, max_tokens=64)
    assert await reranker.scores("ice", ["ice", "load"]) == [2.0, 1.0]  # the closing mark of each matches too
    await reranker.close()


async def test_a_text_is_cut_and_the_query_is_not(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(write_model(tmp_path), threads=1, max_tokens=16)
    early, late = await reranker.scores("what is a lever", ["lever " + "beam " * 50, "beam " * 50 + "lever"])
    assert early > late
    await reranker.close()


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_folder_without_a_model_is_a_wrong_setting(tmp_path: Path, name: str) -> None:
    (write_model(tmp_path) / name).unlink()
    with pytest.raises(InvalidSetting, match=r"reranker\.folder"):
        CrossEncoderReranker(tmp_path, threads=1, max_tokens=64)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_no_model_is_a_wrong_setting(tmp_path: Path, name: str) -> None:
    (write_model(tmp_path) / name).write_bytes(b"not this")
    with pytest.raises(InvalidSetting, match=r"reranker\.folder"):
        CrossEncoderReranker(tmp_path, threads=1, max_tokens=64)


def test_a_model_that_wants_something_else_is_a_wrong_setting(tmp_path: Path) -> None:
    write_model(tmp_path, inputs=("pixels",))
    with pytest.raises(InvalidSetting, match="pixels"):
        CrossEncoderReranker(tmp_path, threads=1, max_tokens=64)


@pytest.mark.parametrize("scores", [2, 3])
def test_a_model_of_several_classes_is_a_wrong_setting(tmp_path: Path, scores: int) -> None:
    with pytest.raises(InvalidSetting, match=rf"reranker\.folder: .*\(2, {scores}\).*one finite score each"):
        CrossEncoderReranker(write_model(tmp_path, scores=scores), threads=1, max_tokens=64)


def test_a_model_of_a_fixed_length_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"(?s)reranker\.folder: .*Expected: 160"):
        CrossEncoderReranker(write_model(tmp_path, tokens=160), threads=1, max_tokens=64)

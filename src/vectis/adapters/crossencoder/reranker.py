"""The reranker over a cross-encoder: a model.onnx with its tokenizer.json, as they are published, in a folder of this machine."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import (
    onnxruntime_pybind11_state,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  native, no stub
)
from tokenizers import Encoding, Tokenizer

from vectis.domain.errors import InvalidSetting, RerankerUnavailable
from vectis.domain.texts import sound

BATCH_PAIRS = 8
MODEL_FILES = ("model.onnx", "onnx/model.onnx")
TOKENIZER_FILE = "tokenizer.json"

# The runtime ships no types, and its errors have no base of their own.
_native = cast(Any, onnxruntime_pybind11_state)
_LOAD_ERRORS = cast(
    tuple[type[Exception], ...],
    (_native.Fail, _native.InvalidGraph, _native.InvalidProtobuf, _native.NoSuchFile, _native.NotImplemented),
)
_RUN_ERRORS = cast(tuple[type[Exception], ...], (_native.Fail, _native.InvalidArgument, _native.RuntimeException))

_INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""What a model may want, and how the tokenizer calls it."""


class CrossEncoderReranker:
    """Reads query and text together; the score is the one number that the model's first output has for the pair.

    Making one blocks, for it loads the model and tries it. A pair is cut to `max_tokens`, at the text's end. Runs take `threads`
    cores, one query after the other. Raises InvalidSetting when the folder holds no such model; one that tells classes apart
    is none, for which class means relevant is nowhere said.
    """

    def __init__(self, folder: Path, *, threads: int, max_tokens: int) -> None:
        model = next((folder / name for name in MODEL_FILES if (folder / name).is_file()), None)
        if model is None or not (folder / TOKENIZER_FILE).is_file():
            raise InvalidSetting(
                f"reranker.folder: {folder} holds no {MODEL_FILES[0]} with a {TOKENIZER_FILE}", key="reranker.folder"
            )
        self._tokenizer = _tokenizer(folder / TOKENIZER_FILE, max_tokens)
        self._session = _session(model, threads)
        self._inputs = [put.name for put in self._session.get_inputs()]
        if unknown := set(self._inputs) - _INPUTS.keys():
            raise InvalidSetting(
                f"reranker.folder: {model} wants {', '.join(sorted(unknown))}, which is no input of a cross-encoder",
                key="reranker.folder",
            )
        self._output = self._session.get_outputs()[0].name
        try:
            self._run("a question", ["a text", "a longer text"])
        except RerankerUnavailable as error:
            raise InvalidSetting(f"reranker.folder: {model}: {error.message}", key="reranker.folder") from error
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cross-encoder")
        self._closed = False

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """The model's scores, in the order of `texts`; pairs of like length run together."""
        if self._closed:
            raise RerankerUnavailable("the reranker is closed because the server is stopping")
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        scores = [0.0] * len(texts)
        loop = asyncio.get_running_loop()
        for start in range(0, len(order), BATCH_PAIRS):  # batch by batch, so that a query that gave up frees the thread
            places = order[start : start + BATCH_PAIRS]
            found = await loop.run_in_executor(self._pool, self._run, query, [texts[place] for place in places])
            for place, score in zip(places, found, strict=True):
                scores[place] = score
        return scores

    async def close(self) -> None:
        """Finish the batch that runs; what comes is refused."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)

    def _run(self, query: str, texts: list[str]) -> list[float]:
        try:
            encoded = self._tokenizer.encode_batch([(sound(query), sound(text)) for text in texts])
            (logits,) = self._session.run([self._output], {name: _column(encoded, name) for name in self._inputs})
        except _RUN_ERRORS as error:
            raise RerankerUnavailable(f"the cross-encoder could not run: {error}") from error
        scores = cast(NDArray[np.float32], logits)
        if scores.size != len(texts) or not np.isfinite(scores).all():
            raise RerankerUnavailable(
                f"the cross-encoder gave numbers of shape {scores.shape} for {len(texts)} pairs: it must give one finite "
                "score each"
            )
        return scores.reshape(-1).tolist()


def _tokenizer(file: Path, max_tokens: int) -> Any:
    try:
        tokenizer = cast(Any, Tokenizer).from_file(str(file))
    except Exception as error:  # the library raises no other class
        raise InvalidSetting(f"reranker.folder: {file} cannot be read: {error}", key="reranker.folder") from error
    tokenizer.enable_truncation(max_tokens, strategy="only_second")
    tokenizer.enable_padding()
    return tokenizer


def _session(model: Path, threads: int) -> Any:
    options = cast(Any, onnxruntime).SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except _LOAD_ERRORS as error:
        raise InvalidSetting(f"reranker.folder: {model} cannot be loaded: {error}", key="reranker.folder") from error


def _column(encoded: Sequence[Encoding], name: str) -> NDArray[np.int64]:
    return np.array([getattr(encoding, _INPUTS[name]) for encoding in encoded], dtype=np.int64)

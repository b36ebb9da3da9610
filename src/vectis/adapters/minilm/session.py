"""Running the graph with onnxruntime on a fixed number of threads."""

from array import array
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import (
    onnxruntime_pybind11_state,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  native, no stub
)

from vectis.domain.errors import EmbedderUnavailable
from vectis.domain.points import Dense

# The runtime ships no types, and its errors have no base of their own.
_native = cast(Any, onnxruntime_pybind11_state)
RUNTIME_ERRORS = cast(tuple[type[Exception], ...], (_native.Fail, _native.RuntimeException, _native.InvalidProtobuf))


class GraphSession:
    """The graph, loaded at the first run. Runs may overlap: each uses the caller's thread and `threads` - 1 more."""

    def __init__(self, graph: Path, threads: int) -> None:
        self._graph = graph
        self._threads = threads
        self._session: Any = None
        self._loading = Lock()

    def run(self, tokens: Sequence[Sequence[int]]) -> list[Dense]:
        """One unit-length vector per text, in order. Raises EmbedderUnavailable when the runtime fails (as without memory)."""
        shape = (len(tokens), max(len(ids) for ids in tokens))
        ids, mask = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        try:
            (vectors,) = self._loaded().run(["embedding"], {"ids": ids, "mask": mask})
        except RUNTIME_ERRORS as error:
            raise EmbedderUnavailable(f"MiniLM could not run: {error}") from error
        return [array("f", row.tobytes()) for row in cast(NDArray[np.float32], vectors)]

    def _loaded(self) -> Any:
        with self._loading:
            if self._session is None:
                options = cast(Any, onnxruntime).SessionOptions()
                options.intra_op_num_threads = self._threads
                options.inter_op_num_threads = 1
                # Spinning gains a tenth on an idle machine and takes the cores from the engine on a busy one.
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                self._session = onnxruntime.InferenceSession(
                    str(self._graph), options, providers=["CPUExecutionProvider"]
                )
            return self._session

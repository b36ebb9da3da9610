"""The ONNX graph of all-MiniLM-L6-v2, made of its tensors with standard operators of opset 20. Built once, then kept by store.py,
which runs `python -m vectis.adapters.minilm.graph MODEL` and takes the graph from its standard output.

Inputs `ids` and `mask`, both int32 (batch, tokens); output `embedding`, float32 (batch, 384), mean-pooled and of unit length.
BERT: Devlin et al., 2018; pooling as sentence-transformers does it for this model.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from vectis.adapters.minilm.safetensors import read_float_tensors
from vectis.adapters.minilm.shape import DIMENSION, HEADS, LAYERS, TOKENS_MAX

OPSET = 20
IR_VERSION = 10
EPSILON = 1e-12
MASKED = 1e9
"""Subtracted from the score of a padding token; its softmax is then exactly 0 in float32."""

Floats = NDArray[np.float32]


def build_graph(tensors: Mapping[str, Floats]) -> bytes:
    """The serialized model. `tensors` by their names in the published safetensors file. About a second, 90 MB."""
    return _Builder(tensors).model().SerializeToString()


class _Builder:
    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._tensors = tensors
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def model(self) -> ModelProto:
        mask = self._node("Cast", "mask", to=TensorProto.FLOAT)
        bias = self._node("Mul", self._node("Sub", mask, self._scalar(1.0)), self._scalar(MASKED))
        bias = self._node("Unsqueeze", bias, self._ints(1, 2))
        x = self._embeddings()
        for layer in range(LAYERS):
            x = self._layer(x, bias, f"encoder.layer.{layer}")
        self._pool(x, mask)
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "tokens"]) for name in ("ids", "mask")],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSION])],
            self._constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)

    def _embeddings(self) -> str:
        words = self._constant(self._tensors["embeddings.word_embeddings.weight"])
        # Every token is of segment 0, so its vector is added to the positions here and not at each run.
        segment = self._tensors["embeddings.token_type_embeddings.weight"][0]
        positions = self._constant(self._tensors["embeddings.position_embeddings.weight"][:TOKENS_MAX] + segment)
        length = self._node("Shape", "ids", start=1, end=2)
        position = self._node("Slice", positions, self._ints(0), length, self._ints(0))
        return self._norm(self._node("Add", self._node("Gather", words, "ids"), position), "embeddings.LayerNorm")

    def _layer(self, x: str, bias: str, at: str) -> str:
        attended = self._linear(self._attention(x, bias, f"{at}.attention.self"), f"{at}.attention.output.dense")
        x = self._norm(self._node("Add", attended, x), f"{at}.attention.output.LayerNorm")
        inner = self._node("Gelu", self._linear(x, f"{at}.intermediate.dense"))
        return self._norm(self._node("Add", self._linear(inner, f"{at}.output.dense"), x), f"{at}.output.LayerNorm")

    def _attention(self, x: str, bias: str, at: str) -> str:
        size = DIMENSION // HEADS
        # One product for queries, keys and values; the scale 1/sqrt(size) is folded into the queries' weights.
        scale = {"query": np.float32(size**-0.5)}
        parts = ("query", "key", "value")
        weight = np.concatenate(
            [self._tensors[f"{at}.{p}.weight"].T * scale.get(p, np.float32(1)) for p in parts], axis=1
        )
        offset = np.concatenate([self._tensors[f"{at}.{p}.bias"] * scale.get(p, np.float32(1)) for p in parts])
        joined = self._node("Add", self._node("MatMul", x, self._constant(weight)), self._constant(offset))
        split = self._node("Reshape", joined, self._ints(0, 0, 3, HEADS, size))
        split = self._node("Transpose", split, perm=[2, 0, 3, 1, 4])
        query, key, value = (self._node("Gather", split, self._int(i), axis=0) for i in range(3))
        scores = self._node("MatMul", query, self._node("Transpose", key, perm=[0, 1, 3, 2]))
        shares = self._node("Softmax", self._node("Add", scores, bias), axis=-1)
        context = self._node("Transpose", self._node("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self._node("Reshape", context, self._ints(0, 0, DIMENSION))

    def _pool(self, x: str, mask: str) -> None:
        kept = self._node("Mul", x, self._node("Unsqueeze", mask, self._ints(-1)))
        # The mean and the sum have the same direction, so the division by the number of tokens is left out.
        total = self._node("ReduceSum", kept, self._ints(1), keepdims=0)
        self._nodes.append(helper.make_node("LpNormalization", [total], ["embedding"], axis=-1, p=2))

    def _linear(self, x: str, name: str) -> str:
        product = self._node("MatMul", x, self._constant(self._tensors[f"{name}.weight"].T))
        return self._node("Add", product, self._constant(self._tensors[f"{name}.bias"]))

    def _norm(self, x: str, name: str) -> str:
        gain, offset = (self._constant(self._tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self._node("LayerNormalization", x, gain, offset, axis=-1, epsilon=EPSILON)

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def _constant(self, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def _ints(self, *values: int) -> str:
        return self._constant(np.array(values, dtype=np.int64))

    def _int(self, value: int) -> str:
        return self._constant(np.array(value, dtype=np.int64))

    def _scalar(self, value: float) -> str:
        return self._constant(np.array(value, dtype=np.float32))


if __name__ == "__main__":
    sys.stdout.buffer.write(build_graph(read_float_tensors(Path(sys.argv[1]))))

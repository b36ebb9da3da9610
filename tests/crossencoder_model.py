"""A cross-encoder small enough to be made in a test: its score is how many pairs of equal words query and text have."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
WORDS = ("lever", "fulcrum", "beam", "load", "ice", "glacier", "what", "is", "a", "on")


def write_model(folder: Path, *, scores: int = 1, inputs: tuple[str, ...] = INPUTS, tokens: int | None = None) -> Path:
    """model.onnx and tokenizer.json in `folder`. `scores` other than 1: the model gives so many a pair; `tokens`: reads no
    other length."""
    vocabulary = {word: number for number, word in enumerate(("[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = [*inputs, *(name for name in INPUTS if name not in inputs)]
    ids, mask, types = names[0], names[1], names[2]
    constants = [
        numpy_helper.from_array(np.array(value, dtype=np.int64), name)
        for name, value in {"one": [1], "two": [2], "last": [-1], "both": [1, 2], "times": [1, scores]}.items()
    ]
    node = helper.make_node
    nodes = [
        node("Mul", [types, mask], ["text"]),
        node("Sub", [mask, "text"], ["query"]),
        node("Unsqueeze", [ids, "two"], ["down"]),
        node("Unsqueeze", [ids, "one"], ["across"]),
        node("Equal", ["down", "across"], ["equal"]),
        node("Cast", ["equal"], ["equals"], to=TensorProto.INT64),
        node("Unsqueeze", ["query", "two"], ["query_down"]),
        node("Unsqueeze", ["text", "one"], ["text_across"]),
        node("Mul", ["query_down", "text_across"], ["pairs"]),
        node("Mul", ["pairs", "equals"], ["matched"]),
        node("ReduceSum", ["matched", "both"], ["sum"], keepdims=0),
        node("Unsqueeze", ["sum", "last"], ["column"]),
        node("Tile", ["column", "times"], ["columns"]),
        node("Cast", ["columns"], ["logits"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "matches",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", tokens or "tokens"]) for name in names],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", scores])],
        constants,
    )
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(folder / "model.onnx")
    )
    return folder

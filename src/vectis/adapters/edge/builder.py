"""The builder process: `python -m vectis.adapters.edge.builder [--optimize | --index KEY KIND] SOURCE TARGET SCHEMA`.

It says {"ready"}, waits for a line, copies the shard folder SOURCE to TARGET and says {"copied_bytes"}; when asked for work it
makes itself unimportant, does it on the copy and says {"changed", "work_s"}. A failure is one line {"error", "disk_full"}.
It knows nothing of collections, generations or swaps.
"""

import argparse
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import qdrant_edge as qe

from vectis.adapters.edge.layout import blocks_bytes, disk_errors, sparse_copy, sync_tree, warm
from vectis.adapters.edge.refusals import EngineErrors
from vectis.adapters.edge.translate import index_operation, search_threads, shard_config
from vectis.domain.errors import DiskFull, VectisError
from vectis.domain.schema import CollectionSchema, PayloadIndexKind

NICENESS = 19
INDEXING_THRESHOLD_KB = 512
"""A build indexes whatever is larger: the collection's own threshold says when to build, not what to leave out. Nor does it leave
more segments than threads search them, however large they get: each one costs a query nearly as much as a single large one."""

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Do one copy, and one work on it when asked."""
    parser = argparse.ArgumentParser(prog="python -m vectis.adapters.edge.builder")
    work = parser.add_mutually_exclusive_group()
    work.add_argument("--optimize", action="store_true")
    work.add_argument("--index", nargs=2, metavar=("KEY", "KIND"))
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("schema", type=Path)
    arguments = parser.parse_args()
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with disk_errors(), EngineErrors():
            return _run(arguments)
    except (VectisError, RuntimeError) as error:
        _say({"error": str(error), "disk_full": isinstance(error, DiskFull)})
        return 1


def _run(arguments: argparse.Namespace) -> int:
    _say({"ready": True})
    if not sys.stdin.readline():
        return 1
    target: Path = arguments.target
    _say({"copied_bytes": sparse_copy(arguments.source, target)})
    if not (arguments.optimize or arguments.index):
        return 0
    os.nice(NICENESS)
    schema = msgspec.json.decode(arguments.schema.read_bytes(), type=CollectionSchema)
    began = time.monotonic()
    changed = _index(target, schema, *arguments.index) if arguments.index else _optimize(target, schema)
    sync_tree(target)
    warm(target)
    _say({"changed": changed, "work_s": time.monotonic() - began})
    return 0


def _index(folder: Path, schema: CollectionSchema, key: str, kind: str) -> bool:
    shard = qe.EdgeShard.load(str(folder), shard_config(schema, search_threads=1, indexing_threads=1))
    shard.update(index_operation(key, PayloadIndexKind(kind)))
    shard.flush()
    shard.close()
    return True


def _optimize(folder: Path, schema: CollectionSchema) -> bool:
    allowed = schema.optimizers.max_optimization_threads or schema.hnsw.max_indexing_threads
    threads = max(1, min(allowed or sys.maxsize, (os.cpu_count() or 2) - 1))
    threshold = min(schema.optimizers.indexing_threshold, INDEXING_THRESHOLD_KB)
    segments = min(schema.optimizers.default_segment_number or sys.maxsize, search_threads())
    largest = max(schema.optimizers.max_segment_size, blocks_bytes(folder) // (1024 * segments))
    optimizers = msgspec.structs.replace(
        schema.optimizers, indexing_threshold=threshold, default_segment_number=segments, max_segment_size=largest
    )
    build_schema = msgspec.structs.replace(schema, optimizers=optimizers)
    shard = qe.EdgeShard.load(str(folder), shard_config(build_schema, search_threads=1, indexing_threads=threads))
    changed = shard.optimize()
    shard.flush()
    shard.close()
    return changed


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _say(line: Mapping[str, bool | float | int | str]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())

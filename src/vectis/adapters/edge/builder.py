"""The builder process: `python -m vectis.adapters.edge.builder [--optimize] SOURCE TARGET SCHEMA`.

It says {"ready"}, waits for a line, copies the shard folder SOURCE to TARGET and says {"copied_bytes"}; with --optimize it then
makes itself unimportant, optimizes the copy and says {"changed", "optimize_s"}. A failure is one line {"error", "disk_full"}.
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

from vectis.adapters.edge.layout import disk_errors, sparse_copy, sync_tree, warm
from vectis.adapters.edge.refusals import EngineErrors
from vectis.adapters.edge.translate import search_threads, shard_config
from vectis.domain.errors import DiskFull, VectisError
from vectis.domain.schema import CollectionSchema

NICENESS = 19
INDEXING_THRESHOLD_KB = 512
"""A build indexes whatever is larger: the collection's own threshold says when to build, not what to leave out. Nor does it leave
more segments than threads search them: each one costs a query nearly as much as a single large one."""

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Do one copy, and one build on it when asked."""
    parser = argparse.ArgumentParser(prog="python -m vectis.adapters.edge.builder")
    parser.add_argument("--optimize", action="store_true")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("schema", type=Path)
    arguments = parser.parse_args()
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with disk_errors(), EngineErrors():
            return _run(arguments.source, arguments.target, arguments.schema if arguments.optimize else None)
    except (VectisError, RuntimeError) as error:
        _say({"error": str(error), "disk_full": isinstance(error, DiskFull)})
        return 1


def _run(source: Path, target: Path, schema_of_build: Path | None) -> int:
    _say({"ready": True})
    if not sys.stdin.readline():
        return 1
    _say({"copied_bytes": sparse_copy(source, target)})
    if schema_of_build is not None:
        _say(_optimize(target, msgspec.json.decode(schema_of_build.read_bytes(), type=CollectionSchema)))
    return 0


def _optimize(folder: Path, schema: CollectionSchema) -> dict[str, bool | float]:
    os.nice(NICENESS)
    allowed = schema.optimizers.max_optimization_threads or schema.hnsw.max_indexing_threads
    threads = max(1, min(allowed or sys.maxsize, (os.cpu_count() or 2) - 1))
    threshold = min(schema.optimizers.indexing_threshold, INDEXING_THRESHOLD_KB)
    segments = min(schema.optimizers.default_segment_number or sys.maxsize, search_threads())
    optimizers = msgspec.structs.replace(
        schema.optimizers, indexing_threshold=threshold, default_segment_number=segments
    )
    build_schema = msgspec.structs.replace(schema, optimizers=optimizers)
    began = time.monotonic()
    shard = qe.EdgeShard.load(str(folder), shard_config(build_schema, search_threads=1, indexing_threads=threads))
    changed = shard.optimize()
    shard.flush()
    shard.close()
    sync_tree(folder)
    warm(folder)
    return {"changed": changed, "optimize_s": time.monotonic() - began}


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _say(line: Mapping[str, bool | float | int | str]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())

"""The yardstick: a loop over the engine in one process, nothing around it.

`python -m benchmarks.plain_loop build SHARD VECTORS` makes a shard with the engine's own defaults and our HNSW and quantization;
`python -m benchmarks.plain_loop ask SHARD QUERIES SECONDS HNSW_EF` prints one JSON line: queries a second, and the ids
found for each.
"""

import json
import sys
from time import perf_counter

import numpy as np
import qdrant_edge as qe

LIMIT = 10
OVERSAMPLING = 2.0
BATCH = 1000


def build(shard_folder: str, vectors_file: str) -> None:
    """Insert the vectors with a small payload and build the index."""
    shard = qe.EdgeShard.create(
        shard_folder,
        qe.EdgeConfig(
            vectors={"dense": qe.EdgeVectorParams(size=384, distance=qe.Distance.Cosine)},
            hnsw_config=qe.HnswIndexConfig(m=16, ef_construct=200, full_scan_threshold=10_000),
            quantization_config=qe.ScalarQuantizationConfig(qe.ScalarType.Int8, quantile=0.99, always_ram=True),
        ),
    )
    vectors = np.load(vectors_file)
    for start in range(0, len(vectors), BATCH):
        points = [
            qe.Point(start + i, {"dense": vector.tolist()}, {"number": start + i})
            for i, vector in enumerate(vectors[start : start + BATCH])
        ]
        shard.update(qe.UpdateOperation.upsert_points(points))
    shard.optimize()
    shard.close()


def ask(shard_folder: str, queries_file: str, seconds: float, hnsw_ef: int) -> None:
    """Ask every query once for recall, then in turn for `seconds`."""
    shard = qe.EdgeShard.load(shard_folder)
    params = qe.SearchParams(
        hnsw_ef=hnsw_ef, quantization=qe.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
    )
    requests = [
        qe.QueryRequest(
            query=qe.Query.Nearest(vector.tolist(), using="dense"), limit=LIMIT, params=params, with_payload=True
        )
        for vector in np.load(queries_file)
    ]
    found = [[int(hit.id) for hit in shard.query(request)] for request in requests]
    asked, began = 0, perf_counter()
    while perf_counter() - began < seconds:
        shard.query(requests[asked % len(requests)])
        asked += 1
    print(json.dumps({"queries_per_s": asked / (perf_counter() - began), "found": found}))


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(sys.argv[2], sys.argv[3])
    else:
        ask(sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))

"""The yardstick: a loop over the engine in one process, nothing around it.

`python -m benchmarks.plain_loop SHARD QUERIES SECONDS` prints one JSON line: queries per second,
and the ids found for each query once.
"""

import json
import sys
from time import perf_counter

import numpy as np
import qdrant_edge as qe

LIMIT = 10
HNSW_EF = 128


def main(shard_folder: str, queries_file: str, seconds: float) -> None:
    """Load the shard, ask every query once for recall, then in turn for `seconds`."""
    shard = qe.EdgeShard.load(shard_folder)
    params = qe.SearchParams(hnsw_ef=HNSW_EF, quantization=qe.QuantizationSearchParams(rescore=True, oversampling=2.0))
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
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))

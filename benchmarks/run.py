"""`make bench`, or `python -m benchmarks.run [--only search,workers,ingest,growth,access,caches,rollouts] [--seconds 5]`.

Prints a table of ratios for each part and writes it to benchmarks/results/PART.json with the machine and the versions.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import access, caches, ingest, rollouts, search
from benchmarks.machine import environment

RESULTS = Path(__file__).parent / "results"
POINTS = 50_000


def main() -> None:
    """Run the parts that were asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        print(f"== {name}", flush=True)
        result = PARTS[name](arguments.seconds)
        print(json.dumps(result, indent=1), flush=True)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps({**environment(), name: result}, indent=1) + "\n")


def _search(seconds: float) -> dict[str, Any]:
    return search.measure(POINTS, clients=(1, 16, 64), rounds=3, seconds=seconds, workers=1)


def _workers(seconds: float) -> dict[str, Any]:
    return search.measure(POINTS, clients=(16, 64), rounds=2, seconds=seconds, workers=2)


def _ingest(_seconds: float) -> dict[str, Any]:
    return ingest.measure()


def _growth(seconds: float) -> dict[str, Any]:
    return {
        str(points): search.measure(points, clients=(1, 16), rounds=1, seconds=seconds, workers=1)
        for points in (10_000, 50_000, 200_000)
    }


def _access(seconds: float) -> dict[str, Any]:
    return access.measure(10_000, rounds=5, seconds=seconds)


def _caches(seconds: float) -> dict[str, Any]:
    return caches.measure(10_000, 1000, rounds=3, seconds=seconds)


def _rollouts(seconds: float) -> dict[str, Any]:
    return rollouts.measure(10_000, rounds=30, seconds=seconds / 4)


PARTS: dict[str, Callable[[float], dict[str, Any]]] = {
    "search": _search,
    "workers": _workers,
    "ingest": _ingest,
    "growth": _growth,
    "access": _access,
    "caches": _caches,
    "rollouts": _rollouts,
}

if __name__ == "__main__":
    main()

"""A real server for the time of a benchmark, with its start-up time and its memory."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import httpx
import msgspec
import psutil

from benchmarks.vectors import Floats

BATCH = 1000


class Server:
    """A running server and its data folder."""

    def __init__(self, folder: Path, url: str, process: subprocess.Popen[bytes], ready_s: float) -> None:
        self.folder = folder
        self.url = url
        self.ready_s = ready_s
        self._process = process
        self.http = httpx.Client(base_url=url, timeout=600)

    def resident_mib(self) -> dict[str, float]:
        """Unique memory (USS) of each process of the tree, by its last argument that names it."""
        root = psutil.Process(self._process.pid)
        found: dict[str, float] = {}
        for process in (root, *root.children(recursive=True)):
            found[_role(process)] = round(process.memory_full_info().uss / 2**20, 1)
        return found

    def cpu_s(self) -> float:
        """Seconds of processor time that all its processes took since they started."""
        root = psutil.Process(self._process.pid)
        return sum(sum(process.cpu_times()[:2]) for process in (root, *root.children(recursive=True)))

    def create(self, name: str, dimension: int) -> None:
        """A collection for vectors of the benchmark."""
        body = {"name": name, "vectors": {"dense": {"size": dimension, "distance": "Cosine"}}}
        self.http.post("/api/v1/collections", json=body).raise_for_status()

    def upload(self, name: str, vectors: Floats, *, first_id: int = 0) -> float:
        """Upsert vectors with a small payload; the seconds it took."""
        began = perf_counter()
        for start in range(0, len(vectors), BATCH):
            points = [
                {
                    "id": first_id + start + i,
                    "vector": {"dense": v.tobytes()},
                    "payload": {"number": first_id + start + i},
                }
                for i, v in enumerate(vectors[start : start + BATCH])
            ]
            self.http.put(
                f"/api/v1/collections/{name}/points",
                content=msgspec.msgpack.encode({"points": points}),
                headers={"content-type": "application/msgpack"},
            ).raise_for_status()
        return perf_counter() - began

    def optimize(self, name: str) -> float:
        """Build the index; the seconds it took."""
        began = perf_counter()
        self.http.post(f"/api/v1/collections/{name}/optimize", params={"wait": "true"}).raise_for_status()
        return perf_counter() - began


@contextmanager
def running_server(*, workers: int = 1, folder: Path | None = None, embedder: str = "none") -> Iterator[Server]:
    """Start `vectis serve` on a free port and end it with the block."""
    with tempfile.TemporaryDirectory(prefix="vectis-bench-") as temporary:
        data = folder or Path(temporary) / "data"
        began = perf_counter()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "vectis",
                "serve",
                "--port",
                "0",
                "--data-dir",
                str(data),
                "--workers",
                str(workers),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "VECTIS_EMBEDDER__KIND": embedder},
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            ready_s = perf_counter() - began
            yield Server(data, json.loads(line)["url"], process, ready_s)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _role(process: psutil.Process) -> str:
    arguments = process.cmdline()
    for word in arguments:
        if word.startswith("vectis."):
            return f"{word.removeprefix('vectis.')} {' '.join(a for a in arguments if a.startswith('api-'))}".strip()
    return "supervisor"

"""Joins the metrics of all processes of a server.

Each answers on a Unix socket in one folder; whoever is asked reads them all.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

ANSWER_MAX = 16 * 1024 * 1024
DEADLINE_S = 2.0


class MetricsExchange:
    """One process's place in the exchange. `name` becomes the label `process`."""

    def __init__(self, folder: Path, name: str, registry: CollectorRegistry, look_s: float = 5.0) -> None:
        self._look_s = look_s
        self._folder = folder
        self._socket = folder / f"{name}.sock"
        self._registry = registry
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to answer; a socket left by a killed process of the same name is replaced."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        await self._listen()
        self._watch = asyncio.create_task(self._keep_open())

    async def close(self) -> None:
        """Stop answering."""
        if self._watch is not None:
            self._watch.cancel()
        if self._server is not None:
            self._server.close()
            self._socket.unlink(missing_ok=True)

    async def render(self, *more: Collector) -> bytes:
        """The text of all processes that answer within two seconds, and of `more`; `vectis_processes` counts the processes."""
        sockets = sorted(self._folder.glob("*.sock"))
        texts = await asyncio.gather(*(_ask(socket) for socket in sockets))
        answered = {s.stem: t for s, t in zip(sockets, texts, strict=True) if t is not None}
        registry = CollectorRegistry()
        for collector in (_Joined(answered), *more):
            registry.register(collector)
        return generate_latest(registry)

    async def total(self, counter: str, *labels: str) -> dict[tuple[str, ...], float]:
        """What all processes that answer counted together, by the values of `labels`."""
        texts = await asyncio.gather(*(_ask(socket) for socket in sorted(self._folder.glob("*.sock"))))
        found: dict[tuple[str, ...], float] = {}
        for family in _Joined({str(i): text for i, text in enumerate(texts) if text is not None}).collect():
            for sample in family.samples:
                if sample.name == f"{counter}_total":
                    key = tuple(sample.labels[label] for label in labels)
                    found[key] = found.get(key, 0.0) + sample.value
        return found

    async def sums(self, prefix: str) -> dict[str, float]:
        """Counts without labels whose names begin with `prefix`, by the rest of their names, added up over all processes.

        Ratios, which cannot be added, are left out.
        """
        texts = await asyncio.gather(*(_ask(socket) for socket in sorted(self._folder.glob("*.sock"))))
        found: dict[str, float] = {}
        for family in _Joined({str(i): text for i, text in enumerate(texts) if text is not None}).collect():
            for sample in family.samples:
                if sample.name.startswith(prefix) and not sample.name.endswith("_ratio"):
                    name = sample.name.removeprefix(prefix)
                    found[name] = found.get(name, 0.0) + sample.value
        return found

    async def _listen(self) -> None:
        self._folder.mkdir(exist_ok=True)
        self._socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._answer, path=str(self._socket))

    async def _keep_open(self) -> None:
        """A server that starts on the folder empties it, also of the sockets of workers that run beside it."""
        while True:
            await asyncio.sleep(self._look_s)  # nobody tells who empties a folder whom that concerns
            if self._server is not None and not self._socket.exists():
                self._server.close()
                with suppress(OSError):
                    await self._listen()

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(generate_latest(self._registry))
        await writer.drain()
        writer.close()


async def _ask(socket: Path) -> str | None:
    """A process that does not answer is left out: it may just have ended."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            content = await reader.read(-1)
            writer.close()
    except (OSError, TimeoutError):
        return None
    return content[:ANSWER_MAX].decode("utf-8", "replace")


class _Joined(Collector):
    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for process, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                joined = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    joined.samples.append(sample._replace(labels={**sample.labels, "process": process}))
        count = Metric("vectis_processes", "Processes of this server that answered", "gauge")
        count.add_sample("vectis_processes", {}, len(self._texts))
        yield from [*families.values(), count]

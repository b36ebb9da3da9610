"""`vectis bench`: how many vector searches a second a server answers, and how long they take."""

import asyncio
import json
from array import array
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
import typer
import uvloop

from vectis.domain.errors import Unsupported
from vectis.domain.points import Dense
from vectis.entrypoints.cli.exits import reporting
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import API, Api, path_of
from vectis.entrypoints.cli.server.connection import connect
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, InCollection, Url
from vectis.entrypoints.cli.terminal.output import notes, print_json, print_table
from vectis.entrypoints.cli.trials.load import LoadReport, load, post, with_credential

app = typer.Typer(add_completion=False)
VECTORS_MAX = 1000
PAGE = 250
WARM_UP_S = 0.5
COLUMNS = {
    "body": "body",
    "clients:": "clients",
    "requests/s:": "requests_per_s",
    "p50 ms:": "latency_ms_p50",
    "p95 ms:": "latency_ms_p95",
    "p99 ms:": "latency_ms_p99",
    "max ms:": "latency_ms_max",
    "errors:": "errors",
}
"""Heading -> field of a run."""


class BodyKind(StrEnum):
    """How the vector of a request is written."""

    JSON = "json"
    MSGPACK = "msgpack"
    RAW = "raw"


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"numbers separated by commas, not {text!r}") from None
    if not all(1 <= count <= 1024 for count in counts):
        raise typer.BadParameter("1 to 1024 clients")
    return counts


@app.command(
    help=COMMANDS["bench"][1], epilog="Example: vectis bench -c docs --clients 1,16,64 --seconds 10 --body raw"
)
def bench(
    collection: InCollection = "docs",
    clients: Annotated[str, typer.Option(help="Numbers of connections, one run each.")] = "1,16",
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Length of each run.")] = 10.0,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Results of each search.")] = 10,
    body: Annotated[list[BodyKind] | None, typer.Option(help="Kind of body; several are run in turn.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Ask with vectors that the collection holds, without payloads, over kept-alive connections."""
    counts = _counts(clients)
    kinds = body or [BodyKind.JSON]
    with reporting(as_json=as_json), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runs = runner.run(_measure(url, data_dir, collection, counts, seconds, limit, kinds))
    if as_json:
        print_json({"collection": collection, "runs": runs})
        return
    print_table(list(COLUMNS), [[run[field] for field in COLUMNS.values()] for run in runs])


async def _measure(
    url: str | None, folder: Path, collection: str, counts: list[int], seconds: float, limit: int, kinds: list[BodyKind]
) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = []
    async with connect(url, folder) as api:
        using, vectors = await vectors_of(api, collection)
        notes.print(f"{len(vectors)} vectors named {using} from {collection} at {api.where}", style="dim")
        for kind in kinds:
            requests = [
                with_credential(search_request(kind, collection, using, vector, limit), api.credential)
                for vector in vectors
            ]
            await load(api.where, requests, max(counts), WARM_UP_S)
            for count in counts:
                report = await load(api.where, requests, count, seconds)
                runs.append(_line(kind, report))
    return runs


async def vectors_of(api: Api, collection: str) -> tuple[str, list[Dense]]:
    """The name of the collection's first dense vector and up to 1000 stored ones. Unsupported when there are none."""
    place = "/collections" + path_of(collection)
    names: list[str] = list((await api.get(place))["profile"]["schema"]["dense"])
    vectors: list[Dense] = []
    offset: int | str | None = None
    while names and len(vectors) < VECTORS_MAX:
        wanted = {"limit": PAGE, "offset": offset, "with_vectors": names[:1], "with_payload": False}
        page = await api.post(f"{place}/points/scroll", wanted)
        vectors += [array("f", point["vector"][names[0]]) for point in page["points"] if point.get("vector")]
        if (offset := page["next_offset"]) is None:
            break
    if not vectors:
        raise Unsupported(f"{collection} holds no dense vectors to ask with; ingest documents or put points first")
    return names[0], vectors


def search_request(kind: BodyKind, collection: str, using: str, vector: Sequence[float], limit: int) -> bytes:
    """The whole HTTP request of one vector search, no payload wanted."""
    path = f"{API}/vectors/search"
    raw = array("f", vector).tobytes()
    beside: dict[str, Any] = {"collection": collection, "using": using, "limit": limit, "with_payload": False}
    match kind:
        case BodyKind.JSON:
            text = json.dumps({**beside, "query_vector": list(vector)}, separators=(",", ":"))
            return post(path, text.encode(), "application/json")
        case BodyKind.MSGPACK:
            return post(path, msgspec.msgpack.encode({**beside, "query_vector": raw}), "application/msgpack")
        case BodyKind.RAW:
            query = urlencode({**beside, "with_payload": "false"})
            return post(f"{path}?{query}", raw, "application/octet-stream")


def _line(kind: BodyKind, report: LoadReport) -> dict[str, Any]:
    return {"body": kind.value, **msgspec.structs.asdict(report)}

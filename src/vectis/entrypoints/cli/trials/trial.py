"""One trial of a dataset: where it is indexed, what may be set otherwise, and clearing up. Asking is judging's."""

import json
import shutil
import tempfile
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import typer

from vectis.domain.shapes import Shape
from vectis.entrypoints.cli.filling.synchronize import ensure_collection, synchronize
from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.entrypoints.cli.server.connection import connect
from vectis.entrypoints.cli.server.jobs import ENDED, until_ended
from vectis.entrypoints.cli.terminal.options import read_table
from vectis.entrypoints.cli.terminal.output import notes
from vectis.entrypoints.cli.terminal.progress import progress_bar
from vectis.evaluation.dataset import Dataset

INDEXING = ("ingest", "refit")
JOBS_LOOKED_AT_MAX = 1000
JOB_PATIENCE_S = 3600.0
PART_OF = {"hyde": "hyde", "best": "rerank"}
"""Modes that are `default` and a part more, and the setting of that part."""

LEFT_OUT = {"hyde": {"documents": 0}, "rerank": {"weight": 0}}
"""What to send so that an answer does without a part that the collection's profile may have."""

UNCACHED = {"VECTIS_CACHE__ENABLED": "false"}
"""A query asked in one mode must not be quicker in the next because its vector is known."""


class Trial(Shape, frozen=True):
    """What `--config` may hold: search settings sent with each query, and how documents are cut. The server checks both."""

    settings: dict[str, Any] = {}
    chunking: dict[str, Any] = {}

    def settings_in(self, mode: str, among: Collection[str]) -> dict[str, Any]:
        """What queries in `mode` are sent with. The part of another mode `among` those that are compared is left out: with it
        `default` would be `hyde`, compared with itself."""
        others = {part for owner, part in PART_OF.items() if owner in among and owner != mode}
        return {name: value for name, value in self.settings.items() if name not in others}

    def collection(self, dataset: str) -> str:
        """A name that differs where documents are cut otherwise, so that a kept data folder serves many trials."""
        digest = blake2b(json.dumps([dataset, self.chunking], sort_keys=True).encode(), digest_size=4).hexdigest()
        return f"eval-{digest}"


def without_parts(mode: str, among: Collection[str]) -> dict[str, Any]:
    """The same for a collection whose profile may have the part of another mode `among` them: settings that leave it out."""
    if mode not in ("default", *PART_OF):
        return {}
    return {part: LEFT_OUT[part] for owner, part in PART_OF.items() if owner in among and owner != mode}


def read_trial(file: Path | None) -> Trial:
    """The trial that a TOML or JSON file describes; without a file nothing is set. BadParameter when unreadable."""
    if file is None:
        return Trial()
    try:
        return msgspec.convert(read_table(file, "--config"), Trial)
    except msgspec.ValidationError as error:
        raise typer.BadParameter(f"--config {file}: {error}") from None


@asynccontextmanager
async def place_for(collection: str, url: str | None, folder: Path | None, *, keep: bool) -> AsyncGenerator[Api]:
    """A server to index in: at `url`, on a data folder of one's own, or on a temporary one.

    What is temporary is gone afterwards, also after Ctrl-C: the collection at `url`, or the temporary folder, unless `keep`.
    """
    if url is not None:
        async with connect(url, Path()) as api:
            try:
                yield api
            finally:
                if not keep:
                    await _drop(api, collection)
        return
    temporary = Path(tempfile.mkdtemp(prefix="vectis-eval-")) if folder is None else None
    try:
        async with connect(None, folder or temporary or Path(), **UNCACHED) as api:
            yield api
    finally:
        if temporary is not None and keep:
            notes.print(f"kept: --data-dir {temporary} indexes nothing anew")
        elif temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


async def index_dataset(
    api: Api, dataset: Dataset, collection: str, chunking: dict[str, Any], *, shown: bool
) -> tuple[int, int]:
    """Make a collection hold the corpus of a dataset, ready to be asked; gives its points and how many documents it refused."""
    documents = [msgspec.structs.replace(document, source=dataset.name) for document in dataset.documents]
    await ensure_collection(api, collection, **({"chunking": chunking} if chunking else {}))
    done = await synchronize(
        api,
        collection,
        [dataset.name],
        documents,
        frozenset(),
        lambda total: progress_bar("ingesting", total, shown=shown),
    )
    return await _settled(api, collection), len(done.tally.refused)


async def _settled(api: Api, collection: str) -> int:
    """Wait until nothing is being indexed, build the index, and give the number of points."""
    for job in (await api.get("/jobs", limit=JOBS_LOOKED_AT_MAX))["jobs"]:
        if job["kind"] in INDEXING and job["state"] not in ENDED:
            await until_ended(api, job["id"], timeout_s=JOB_PATIENCE_S)
    await api.post(f"/collections{path_of(collection)}/optimize", wait="true", timeout_s=None)
    return int((await api.get("/collections" + path_of(collection)))["points"])


async def _drop(api: Api, collection: str) -> None:
    if collection in {each["name"] for each in (await api.get("/collections"))["collections"]}:
        await api.delete("/collections" + path_of(collection), grace_minutes=0)

"""The candidate of a `data_refresh`: a collection like the one that serves, filled from files as `vectis ingest` does it."""

from typing import Any

import typer

from vectis.entrypoints.cli.exits import FAILED
from vectis.entrypoints.cli.filling.local import Local, read_local
from vectis.entrypoints.cli.filling.synchronize import ensure_collection, synchronize
from vectis.entrypoints.cli.filling.upload import tell
from vectis.entrypoints.cli.server.api import Api
from vectis.entrypoints.cli.terminal.output import notes
from vectis.entrypoints.cli.terminal.progress import progress_bar

REFRESH = "data_refresh"


def read_sources(spec: dict[str, Any], sources: list[str]) -> Local:
    """The documents of `sources`, for the rollout that `spec` says. BadParameter when it is another change, builds, or has
    several candidates."""
    if spec.setdefault("change", REFRESH) != REFRESH:
        raise typer.BadParameter(f"--source is for the change {REFRESH}, FILE says {spec['change']}")
    if any(spec.get(name) is not None for name in ("build", "variants")):
        raise typer.BadParameter("--source fills the one candidate, so FILE says neither build nor variants")
    if not isinstance(spec.get("alias"), str):
        raise typer.BadParameter("FILE names no alias")
    return read_local(sources)


async def fill_candidate(api: Api, spec: dict[str, Any], local: Local, *, unix_time: int) -> None:
    """Bring the candidate in step with the sources; `spec` names it then. One that it names already is gone on with.

    Ends the command when documents could not be indexed: nothing is rolled out then.
    """
    candidate = spec.setdefault("candidate", f"{spec['alias']}_green_{unix_time}")
    if await ensure_collection(api, candidate, like=spec["alias"]):
        notes.print(f"created collection {candidate}", style="dim")
    done = await synchronize(
        api,
        candidate,
        local.sources,
        local.documents,
        local.unreadable_ids,
        lambda total: progress_bar("filling the candidate", total, shown=True),
    )
    done.tally.refused = [*local.refused, *done.tally.refused]
    tell(done.tally)
    if done.tally.dead_jobs:
        notes.print(f'not rolled out: with "candidate": "{candidate}" in FILE the same command goes on')
        raise typer.Exit(FAILED)

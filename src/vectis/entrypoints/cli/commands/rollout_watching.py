"""`vectis rollout watch`: a rollout as it goes, until it is decided what its alias serves. How it is drawn is rollout_view's."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import monotonic
from typing import Any

import typer
from rich.live import Live

from vectis.domain.errors import Unavailable
from vectis.entrypoints.cli.commands.rollout_verbs import RolloutId
from vectis.entrypoints.cli.exits import FAILED
from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import console, notes
from vectis.entrypoints.cli.terminal.rollout_view import picture, transition_lines

app = typer.Typer(add_completion=False)
ENDED = ("grace", "retire", "done")
AWAY_MAX_S = 60.0
"""How long a server may be away, as when it is started again, before the watch gives up."""


@app.command(epilog="Example: vectis rollout watch 0f3c...; vectis rollout watch 0f3c... --json | jq .phase")
def watch(rollout: RolloutId, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Watch a rollout until it is decided what its alias serves. Ends with 1 when it was aborted.

    Without a terminal, each transition is a line; with --json, each change is one.
    """

    async def work(api: Api) -> dict[str, Any]:
        moments = _moments(api, rollout)
        if as_json:
            return await _as_lines(moments)
        return await (_as_picture(moments) if console.is_terminal else _as_log(moments))

    if ask(work, url, data_dir, as_json=as_json)["phase"] == "aborted":
        raise typer.Exit(FAILED)


async def _moments(api: Api, rollout: str) -> AsyncGenerator[dict[str, Any]]:
    """The rollout now and at each change, until it has ended. Streams have their time, and a server may be away a while."""
    seen: dict[str, Any] = {}
    heard = monotonic()
    while seen.get("step") not in ENDED:
        try:
            async with aclosing(api.events("/rollouts" + path_of(rollout) + "/events")) as events:
                async for told in events:
                    heard = monotonic()
                    if told != seen:
                        yield told
                    seen = told
        except Unavailable as error:
            if not seen or monotonic() - heard > AWAY_MAX_S:
                raise
            notes.print(f"waiting for the server: {error.message}", markup=False)
        if seen.get("step") not in ENDED:
            await asyncio.sleep(1.0)  # HTTP has no word for "when it is back"


async def _as_lines(moments: AsyncGenerator[dict[str, Any]]) -> dict[str, Any]:
    last: dict[str, Any] = {}
    async for last in moments:
        print(json.dumps(last, ensure_ascii=False), flush=True)
    return last


async def _as_log(moments: AsyncGenerator[dict[str, Any]]) -> dict[str, Any]:
    last: dict[str, Any] = {}
    told = 0
    async for last in moments:
        for transition, line in zip(last["transitions"], transition_lines(last["transitions"]), strict=True):
            if transition["generation"] > told:
                told = transition["generation"]
                console.print(line)
    return last


async def _as_picture(moments: AsyncGenerator[dict[str, Any]]) -> dict[str, Any]:
    last: dict[str, Any] = {}
    with Live(console=console, refresh_per_second=2, get_renderable=lambda: picture(last) if last else "") as live:
        async for last in moments:  # noqa: B007 the screen reads it, also between two changes: time goes on
            live.refresh()
    return last

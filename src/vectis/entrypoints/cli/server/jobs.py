"""Jobs as commands wait for them."""

import asyncio
from time import monotonic
from typing import Any

from vectis.domain.errors import DeadlineExceeded
from vectis.entrypoints.cli.server.api import Api, path_of

POLL_S = 0.25
ENDED = ("done", "dead", "cancelled")


async def until_ended(api: Api, job: str, *, timeout_s: float) -> Any:
    """The job once it has ended; DeadlineExceeded after `timeout_s`, while the job goes on."""
    deadline = monotonic() + timeout_s
    while (seen := await api.get("/jobs" + path_of(job)))["state"] not in ENDED:
        if monotonic() >= deadline:
            raise DeadlineExceeded(f"job {job} is still {seen['state']} after {timeout_s:g} s; it goes on")
        await asyncio.sleep(POLL_S)  # HTTP has no word for "when it ends"
    return seen

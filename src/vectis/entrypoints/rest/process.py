"""An API process, started by the server: `python -m vectis.entrypoints.rest.process NAME FD`; FD is the listening socket."""

import asyncio
import gc
import socket
import sys

import uvicorn
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from vectis.entrypoints.rest.app import RestApp
from vectis.entrypoints.rest.connection import BoundedConnection
from vectis.entrypoints.rest.streaming import EventStreams
from vectis.entrypoints.rest.variants import ANSWERED_BY, QUERY_ID, ROUTING
from vectis.runtime.lifeline import watch_parent
from vectis.runtime.stages import READY, inherited
from vectis.runtime.telemetry import configure_logging, end_in_one_line
from vectis.runtime.wiring.api import open_services

KEEP_ALIVE_S = 75
SHUTDOWN_S = 8


class _AnnouncingServer(uvicorn.Server):
    """Says when it accepts connections, and lets no stream hold its end up."""

    def __init__(self, config: uvicorn.Config, streams: EventStreams) -> None:
        super().__init__(config)
        self._streams = streams

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(READY, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.end()
        await super().shutdown(sockets=sockets)


async def _main(name: str, listener: socket.socket) -> None:
    configuration = inherited()
    configure_logging(configuration.settings.log, process=name)
    watch_parent()
    async with open_services(configuration, process=name) as services:
        app = RestApp(services)
        config = uvicorn.Config(
            _with_cors(app, configuration.settings.limits.cors_origins),
            http=BoundedConnection,
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        gc.freeze()  # what is loaded by now stays: looking through it again would hold every answer up
        await _AnnouncingServer(config, app.streams).serve(sockets=[listener])


def _with_cors(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """Pages of these origins may call the server from a browser."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=[
            "authorization",
            "content-type",
            "x-api-key",
            "x-request-id",
            *(name.lower() for name in ROUTING),
        ],
        expose_headers=["x-request-id", "ratelimit", "ratelimit-policy", "retry-after", *ANSWERED_BY, QUERY_ID],
        max_age=600,
    )


if __name__ == "__main__":
    factory = uvicorn.Config(None, loop="uvloop", log_config=None).get_loop_factory()  # type: ignore[arg-type]
    with end_in_one_line(), asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_main(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))))

"""Logs: structlog on standard error, JSON lines when that is no terminal, the request id in every line."""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict, WrappedLogger

from vectis.domain.errors import VectisError
from vectis.runtime.log_sink import LogSink
from vectis.runtime.settings import LogSettings

request_id_var: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; empty outside requests."""


trace_id_var: ContextVar[str] = ContextVar("trace_id", default="")
"""The trace that the request belongs to, as its `traceparent` says (W3C Trace Context); empty without one."""


def configure_logging(settings: LogSettings, *, process: str, sink: LogSink | None = None) -> None:
    """Set up logging for this process, before anything logs; into `sink`, else on standard error."""
    json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        _with_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if json else structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    renderer = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    handler = logging.StreamHandler(sink or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for noisy in ("httpx", "httpcore", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # it warns of each thing that is no HTTP, and strangers send those
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


@contextmanager
def end_in_one_line() -> Generator[None]:
    """For a process's main: an end for a reason that Vectis knows is one line of the log and status 1, not a traceback."""
    try:
        yield
    except VectisError as error:
        structlog.stdlib.get_logger("vectis.process").error("ended", code=error.code, detail=error.message)
        raise SystemExit(1) from None


def _with_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    request_id = request_id_var.get()
    if request_id:
        event["request_id"] = request_id
    if trace_id := trace_id_var.get():
        event["trace_id"] = trace_id
    return event

"""How a command ends: exit codes for errors, and how errors are shown. What an error means is in domain/errors.py."""

import asyncio
import json
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer

from vectis.domain.errors import VectisError

FAILED = 1
USAGE = 2
UNAVAILABLE = 3

EXIT_CODES = {
    "error": FAILED,
    "invalid_input": FAILED,
    "malformed_body": FAILED,
    "invalid_filter": FAILED,
    "invalid_name": FAILED,
    "invalid_vector": FAILED,
    "wrong_dimension": FAILED,
    "empty_query": FAILED,
    "limit_exceeded": FAILED,
    "unreadable_document": FAILED,
    "invalid_setting": USAGE,
    "unsupported": FAILED,
    "too_large": FAILED,
    "not_found": FAILED,
    "collection_not_found": FAILED,
    "document_not_found": FAILED,
    "point_not_found": FAILED,
    "job_not_found": FAILED,
    "schedule_not_found": FAILED,
    "rollout_not_found": FAILED,
    "principal_not_found": FAILED,
    "role_not_found": FAILED,
    "key_not_found": FAILED,
    "session_not_found": FAILED,
    "route_not_found": FAILED,
    "method_not_allowed": FAILED,
    "unauthenticated": FAILED,
    "token_expired": FAILED,
    "forbidden": FAILED,
    "address_not_allowed": FAILED,
    "permission_denied": FAILED,
    "invalid_credentials": FAILED,
    "conflict": FAILED,
    "collection_exists": FAILED,
    "data_folder_in_use": FAILED,
    "disk_full": FAILED,
    "unavailable": UNAVAILABLE,
    "engine_unavailable": UNAVAILABLE,
    "embedder_unavailable": UNAVAILABLE,
    "reranker_unavailable": UNAVAILABLE,
    "generator_unavailable": UNAVAILABLE,
    "store_unavailable": UNAVAILABLE,
    "jobs_unavailable": UNAVAILABLE,
    "deadline_exceeded": UNAVAILABLE,
    "overloaded": UNAVAILABLE,
    "rate_limited": UNAVAILABLE,
}
"""Error code -> exit code: 1 failed or refused, 2 wrongly called, 3 unavailable (try again). Ctrl-C is 130."""

HINTS = {
    "collection_not_found": "`vectis collections list` shows what there is, `vectis ingest` makes one",
    "document_not_found": "`vectis documents list` shows what there is",
    "job_not_found": "`vectis jobs list` shows what there is",
    "schedule_not_found": "`vectis schedules list` shows what there is",
    "rollout_not_found": "`vectis rollout list` shows what there is",
    "unauthenticated": "give --api-key or VECTIS_API_KEY; with --data-dir of a local server none is needed",
    "invalid_credentials": "`vectis keys list` shows the keys; `vectis keys rotate NAME` replaces those of a principal",
    "principal_not_found": "`vectis users list` shows who there is",
    "role_not_found": "`vectis roles list` shows what there is",
    "key_not_found": "`vectis keys list` shows what there is",
    "session_not_found": "`vectis sessions list` shows what there is",
    "route_not_found": "is this a Vectis server of the same version?",
    "data_folder_in_use": "give another --data-dir, or --url to use the server that holds this one",
    "unavailable": "`vectis doctor` checks this installation",
    "engine_unavailable": "`vectis doctor` checks this installation",
    "embedder_unavailable": "`vectis models install minilm` installs weights; --mode sparse works without",
    "deadline_exceeded": "the work may still go on: `vectis jobs list` shows it",
}
"""Error code -> the command that helps, where one does."""

T = TypeVar("T")


def perform(work: Coroutine[Any, Any, T], *, as_json: bool) -> T:
    """Run a command's work to its end; an error is shown on stderr and ends the command with the code of its kind."""
    with reporting(as_json=as_json):
        return asyncio.run(work)


@contextmanager
def reporting(*, as_json: bool) -> Generator[None]:
    """Show an error of Vectis as the command line does and leave with its exit code."""
    try:
        yield
    except VectisError as error:
        typer.echo(shown(error, as_json=as_json), err=True)
        raise typer.Exit(exit_code(error)) from None


def exit_code(error: VectisError) -> int:
    """The exit code for an error; one that this version does not know counts as failed."""
    return EXIT_CODES.get(code_of(error), FAILED)


def code_of(error: VectisError) -> str:
    """The stable code; that of a newer server's error is kept in its fields."""
    return str(error.fields.get("code", error.code))


def shown(error: VectisError, *, as_json: bool) -> str:
    """An error as text for people, or as one JSON object."""
    code = code_of(error)
    hint = HINTS.get(code)
    if as_json:
        fields = {key: value for key, value in error.fields.items() if key != "code"}
        body = {"code": code, "message": error.message, **({"hint": hint} if hint else {}), "fields": fields}
        return json.dumps({"error": body}, ensure_ascii=False)
    return f"error [{code}]: {error.message}" + (f"\n  hint: {hint}" if hint else "")

"""The command `vectis`: the table of commands, each loaded when it is called. What a command does is in its own module."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from vectis.entrypoints.cli.server.credential import api_key_option

COMMANDS = {
    "init": ("init", "Turn access control on and make the admin's key."),
    "serve": ("serve", "Start the server."),
    "worker": ("worker", "Run worker processes of their own, beside or without a server here."),
    "ingest": ("ingest", "Bring files, folders and checkouts of documentation into a collection."),
    "search": ("search", "Ask a question in words and show the ranked answers."),
    "similar": ("similar", "Find what is like some documents, and not like others."),
    "collections": ("collections", "List, show, create, configure, delete and optimize collections; set aliases."),
    "documents": ("documents", "List, show, put and delete documents of a collection."),
    "jobs": ("jobs", "List, show, wait for, retry, cancel and recover background jobs; count them."),
    "schedules": ("schedules", "List, set, remove and run schedules: jobs at set times."),
    "rollout": ("rollout", "Change what an alias serves; list, show, explain and steer it."),
    "feedback": ("feedback", "Say what a user did with a result, or how good it was."),
    "users": ("users", "List, show, create, change, disable and remove people and services."),
    "keys": ("keys", "List, create, revoke and rotate API keys."),
    "roles": ("roles", "List, set and delete roles."),
    "sessions": ("sessions", "List and end sessions of people."),
    "eval": ("evaluate", "Judge retrieval on a folder of queries with known answers."),
    "tune": ("tune", "Fit a collection's fusion weights to queries with known answers."),
    "bench": ("bench", "Measure vector search over HTTP."),
    "cache": ("caches", "Show what the caches hold and save; warm them up; clear them."),
    "config": ("configuration", "Show, check, compare, apply and roll back configurations; templates."),
    "audit": ("audit", "Show who did what and what was refused; check that the record is whole."),
    "doctor": ("doctor", "Check this installation and say what to do next."),
    "models": ("models", "Install the weights of embedding models."),
    "version": ("version", "Show the version."),
}
"""Command -> (module of commands, summary). Modules are imported when called, so that help and completion are quick."""


class CommandTable(TyperGroup):
    """A group that lists its commands by their summaries and loads only the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, summary) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=summary))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the place of its summary."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(COMMANDS[str(name)][0]), rest


def load(module: str) -> Any:
    """The command (or group of commands) that a module of `commands` holds as `app`.

    Every command that takes --url takes --api-key too, so that none can forget it.
    """
    loaded: Any = typer.main.get_command(import_module(f"vectis.entrypoints.cli.commands.{module}").app)
    for command in (loaded, *getattr(loaded, "commands", {}).values()):
        opts = [opt for parameter in command.params for opt in parameter.opts]
        if "--url" in opts and "--api-key" not in opts:
            command.params.append(api_key_option())
    return loaded


app = typer.Typer(name="vectis", cls=CommandTable, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback(epilog="Start here: vectis ingest docs/ --collection docs, then vectis search 'how do I ...'")
def vectis() -> None:
    """A search server that a team can operate.

    Commands talk to the server at --url, else to the holder of the data folder, else to one that they start themselves.
    """

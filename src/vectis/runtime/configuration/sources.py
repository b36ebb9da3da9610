"""Where values come from, in rising order of weight: template, file, environment, command line. Checked elsewhere."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import yaml

from vectis.domain.errors import NotFound
from vectis.runtime.settings import ALIASES, Settings

PREFIX = "VECTIS_"
TEMPLATE_KEY = "CONFIG_TEMPLATE"
OLD_NAMES = {"minimal-cost": "personal-use"}
TEMPLATES = ("personal-use", "basic-database", "production")

ACTIVE_NAME = "config"
OF_CLIENTS = ("VECTIS_API_KEY",)
"""Keys that commands read and that are no settings of a server."""

YAML = (".yaml", ".yml")
SUFFIXES = (".toml", *YAML)


class Given(msgspec.Struct, frozen=True):
    """One value as it was given. `elsewhere`: it says where the value is; `origin` is for people."""

    owner: str
    field: str
    value: Any
    origin: str
    elsewhere: bool = False


class Unusable(msgspec.Struct, frozen=True):
    """Something given that is no value of any setting: the key (or file) and why."""

    key: str
    detail: str


Found = Iterator[Given | Unusable]


def from_template(name: str) -> Found:
    """The values of a template that ships with Vectis."""
    try:
        known, text = template_named(name)
    except NotFound as error:
        yield Unusable(TEMPLATE_KEY, error.message)
    else:
        yield from from_text(text, ".toml", f"template {known}")


def template_named(name: str) -> tuple[str, str]:
    """A template as it ships, TOML with comments, behind the name that it has now. Raises NotFound."""
    known = OLD_NAMES.get(name, name)
    if known not in TEMPLATES:
        raise NotFound(f"there is no template {name[:80]!r}; there are {', '.join(TEMPLATES)}", template=name[:80])
    return known, (files(__package__ or "") / "templates" / f"{known}.toml").read_text("utf-8")


def from_file(file: Path) -> Found:
    """The values of a TOML or YAML file, told apart by suffix."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        yield Unusable(str(file), f"cannot be read: {error}")
        return
    yield from from_text(text, file.suffix, f"file {file}")


def from_text(text: str, suffix: str, origin: str) -> Found:
    """The values of a TOML or YAML document."""
    try:
        content = _parsed(text, suffix)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        kind = "YAML" if suffix in YAML else "TOML"
        yield Unusable(origin, f"not valid {kind}: {' '.join(str(error).split())}")
        return
    for owner, section in content.items():
        if not isinstance(section, dict):
            yield Unusable(str(owner), f"{origin}: must be a section such as [server], with its settings below it")
            continue
        fields: dict[Any, Any] = section  # pyright: ignore[reportUnknownVariableType]: TOML and YAML hold anything
        for field, value in fields.items():
            key = f"{owner}.{field}"
            if (unknown := unknown_setting(str(owner), str(field))) is not None:
                yield Unusable(key, f"{origin}: {unknown}")
            else:
                yield Given(str(owner), str(field), value, origin, elsewhere=isinstance(value, dict))


def from_environment(environment: Mapping[str, str]) -> Found:
    """Aliases first, then VECTIS_ keys; of each also with _FILE or _COMMAND at its end."""
    for key, place in ALIASES.items():
        yield from _of_alias(key, place, environment)
    for key in sorted(environment):
        if key.startswith(PREFIX) and key not in OF_CLIENTS:
            yield _of_own_key(key, environment)


def from_command_line(overrides: Mapping[str, str]) -> Found:
    """`owner.field` -> text."""
    for key, text in overrides.items():
        owner, _, field = key.partition(".")
        yield Given(owner, field, text, "command line")


def unknown_setting(owner: str, field: str) -> str | None:
    """Why there is no such setting; None when there is."""
    owners = Settings.__struct_fields__
    if owner not in owners:
        return f"no such setting; the owners are {', '.join(owners)}"
    fields: tuple[str, ...] = getattr(Settings(), owner).__struct_fields__
    return None if field in fields else f"no such setting; {owner} has {', '.join(fields)}"


def _parsed(text: str, suffix: str) -> dict[Any, Any]:
    content: Any = yaml.safe_load(text) if suffix in YAML else tomllib.loads(text)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ValueError("sections such as `server:` were expected")  # noqa: TRY004 - shown as a fault of the text
    return content  # pyright: ignore[reportUnknownVariableType]: TOML and YAML hold anything


def _of_alias(key: str, place: tuple[str, str], environment: Mapping[str, str]) -> Found:
    """An empty alias says nothing: other tools export theirs empty."""
    owner, field = place
    origins = [each for each in (key, f"{key}_FILE", f"{key}_COMMAND") if environment.get(each)]
    if len(origins) > 1:
        yield Unusable(key, f"given as {' and '.join(origins)}; give one of them")
    elif origins == [key]:
        text = environment[key]
        yield Given(owner, field, text.lower() if owner == "log" else text, f"environment {key}")
    elif origins:
        yield _elsewhere(owner, field, origins[0], environment[origins[0]])


def _of_own_key(key: str, environment: Mapping[str, str]) -> Given | Unusable:
    owner, _, field = key.removeprefix(PREFIX).lower().partition("__")
    unknown = unknown_setting(owner, field)
    if unknown is None:
        return Given(owner, field, environment[key], f"environment {key}")
    for ending in ("_file", "_command"):
        bare = field.removesuffix(ending)
        if bare != field and unknown_setting(owner, bare) is None:
            if key[: -len(ending)] in environment:
                return Unusable(key, f"{key[: -len(ending)]} is given too; give one of them")
            return _elsewhere(owner, bare, key, environment[key])
    return Unusable(key, unknown)


def _elsewhere(owner: str, field: str, key: str, where: str) -> Given:
    place = "file" if key.upper().endswith("_FILE") else "command"
    return Given(owner, field, {place: where}, f"environment {key}", elsewhere=True)

"""From what was given to settings: each value converted, its origin kept, every objection collected."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from vectis.domain.errors import InvalidSetting
from vectis.runtime.configuration.checks import Objection, objections
from vectis.runtime.configuration.references import Reference
from vectis.runtime.configuration.sources import (
    ACTIVE_NAME,
    OLD_NAMES,
    SUFFIXES,
    TEMPLATE_KEY,
    Found,
    Given,
    Unusable,
    from_command_line,
    from_environment,
    from_file,
    from_template,
)
from vectis.runtime.secret import Secret
from vectis.runtime.settings import ServerSettings, Settings

DEFAULT = "default"


class Configuration(msgspec.Struct, frozen=True):
    """Settings that were read, with the origin of each value that is no default, what is wrong with them, and warnings.

    `file` is the one that was read, empty when there was none. With objections a setting that could not be used stands at
    its default.
    """

    settings: Settings
    origins: dict[str, str]
    objections: tuple[Objection, ...] = ()
    warnings: tuple[str, ...] = ()
    file: str = ""

    def checked(self) -> "Configuration":
        """Itself, when there is nothing against it; InvalidSetting names all that is."""
        if self.objections:
            told = "; ".join(map(str, self.objections))
            raise InvalidSetting(f"{told}; docs/configuration.md lists all settings", key=self.objections[0].key)
        return self


def load(file: Path | None, overrides: Mapping[str, str], environment: Mapping[str, str]) -> Configuration:
    """What `read` gives, when nothing is wrong with it. InvalidSetting names every wrong key and what is allowed."""
    return read(file, overrides, environment).checked()


def read(file: Path | None, overrides: Mapping[str, str], environment: Mapping[str, str]) -> Configuration:
    """Read from the template that CONFIG_TEMPLATE names, `file`, the environment and the command line.

    `overrides` are `owner.field` -> text. Without `file` the data folder's own is read when there is one. Files and
    commands that values refer to are read too.
    """
    folder = data_folder(overrides, environment)
    try:
        file = file or active_file(folder)
    except InvalidSetting as error:
        return around([Unusable(str(folder), error.message)], overrides, environment)
    if file is None:
        return around((), overrides, environment)
    found = around(from_file(file), overrides, environment, inside=file.parent == folder)
    return msgspec.structs.replace(found, file=str(file))


def around(
    file: Iterable[Given | Unusable],
    overrides: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    inside: bool = False,
) -> Configuration:
    """What `file` gives, between the template below it and the environment and command line above.

    A file `inside` the data folder cannot say where that is.
    """
    template = environment.get(TEMPLATE_KEY, "")
    found = [
        *(from_template(template) if template else ()),
        *file,
        *from_environment(environment),
        *from_command_line(overrides),
    ]
    warnings = [f"the template {template} is called {OLD_NAMES[template]} now"] if template in OLD_NAMES else []
    return _resolved(found, inside=inside, warnings=warnings)


def plain_secrets(found: Iterable[Given | Unusable]) -> Iterator[Objection]:
    """Secrets that a file holds as they are. In one that is kept and shown as a version they have no place."""
    kinds = {(owner, field.name): field.type for owner, field in _fields()}
    for each in found:
        if not isinstance(each, Given) or each.elsewhere:
            continue
        kind = kinds[each.owner, each.field]
        if _is_secret(kind) and kind(str(each.value)).confidential():
            yield Objection(
                f"{each.owner}.{each.field}",
                "every version of an applied configuration is kept: let the secret stand in a file or be printed by a "
                "command, or give it by the environment",
            )


def read_only(found: Found) -> Configuration:
    """The configuration that one source would make by itself, over the defaults."""
    return _resolved(found, inside=False, warnings=[])


def data_folder(overrides: Mapping[str, str], environment: Mapping[str, str]) -> Path:
    """The data folder as command line or environment name it."""
    named = overrides.get("server.data_dir") or environment.get("VECTIS_SERVER__DATA_DIR")
    return Path(named or ServerSettings().data_dir)


def overrides_for(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What the command line adds when it names this data folder; nothing when the environment names it already."""
    return {} if folder == data_folder({}, environment) else {"server.data_dir": str(folder)}


def active_file(folder: Path) -> Path | None:
    """The data folder's own configuration. InvalidSetting when there are two."""
    found = [path for suffix in SUFFIXES if (path := folder / f"{ACTIVE_NAME}{suffix}").is_file()]
    if len(found) > 1:
        raise InvalidSetting(
            f"{folder} holds {' and '.join(path.name for path in found)}; keep one of them", key=str(folder)
        )
    return found[0] if found else None


def secret_keys(environment: Mapping[str, str]) -> list[str]:
    """The keys of the environment that hold a secret in plain text."""
    given = [each for each in from_environment(environment) if isinstance(each, Given) and not each.elsewhere]
    kinds = {(owner, field.name): field.type for owner, field in _fields()}
    secret = [each for each in given if _is_secret(kinds[each.owner, each.field])]
    return [each.origin.removeprefix("environment ") for each in secret]


def _resolved(found: Iterable[Given | Unusable], *, inside: bool, warnings: list[str]) -> Configuration:
    wrong: list[Objection] = []
    chosen: dict[tuple[str, str], Given] = {}
    for each in found:
        if isinstance(each, Unusable):
            wrong.append(Objection(each.key, each.detail))
        elif inside and each.origin.startswith("file ") and (each.owner, each.field) == ("server", "data_dir"):
            wrong.append(Objection("server.data_dir", "cannot be set by a file inside the data folder", each.origin))
        else:
            chosen[each.owner, each.field] = each
    values: dict[str, dict[str, Any]] = {owner: {} for owner in Settings.__struct_fields__}
    for owner, field in _fields():
        given = chosen.get((owner, field.name))
        if given is not None:
            try:
                values[owner][field.name] = _converted(given, field.type)
            except (ValueError, msgspec.ValidationError) as error:
                wrong.append(Objection(f"{owner}.{field.name}", str(error), given.origin))
    sections = {owner: type(getattr(Settings(), owner))(**fields) for owner, fields in values.items()}
    settings = Settings(**sections)
    origins = {f"{owner}.{field}": chosen[owner, field].origin for owner, fields in values.items() for field in fields}
    reported = {each.key for each in wrong}
    wrong += [
        msgspec.structs.replace(each, origin=origins.get(each.key, DEFAULT))
        for each in objections(settings)
        if each.key not in reported
    ]
    settings, origins = _with_engine(settings, origins)
    return Configuration(settings, origins, tuple(wrong), tuple(warnings))


def _with_engine(settings: Settings, origins: dict[str, str]) -> tuple[Settings, dict[str, str]]:
    engine = settings.engine
    if engine.kind:
        return settings, origins
    kind = "qdrant" if engine.url else "edge"
    chosen = msgspec.structs.replace(settings, engine=msgspec.structs.replace(engine, kind=kind))
    return chosen, {**origins, "engine.kind": f"chosen by engine.url, which is {'set' if engine.url else 'empty'}"}


def _converted(given: Given, kind: Any) -> Any:
    value = given.value
    if given.elsewhere:
        value = msgspec.convert(value, Reference).read()
    if get_origin(kind) is Literal and value not in get_args(kind):
        raise ValueError(f"must be one of {', '.join(repr(choice) for choice in get_args(kind) if choice)}")
    if get_origin(kind) in (list, tuple) and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if kind is str and not isinstance(value, str):
        raise ValueError("must be a text; put it into quotes")
    if _is_secret(kind):
        return kind(msgspec.convert(value, str))
    return msgspec.convert(value, kind, strict=False)


def _is_secret(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Secret)


def _fields() -> list[tuple[str, msgspec.structs.FieldInfo]]:
    return [
        (section.name, field)
        for section in msgspec.structs.fields(Settings)
        for field in msgspec.structs.fields(section.type)
    ]

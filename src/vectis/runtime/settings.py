"""Settings: one frozen record per owner, read once from file, environment and command line, in rising order of weight.

Keys are VECTIS_<OWNER>__<FIELD>; the common keys of other tools are aliases. An unknown VECTIS_ key is an error.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from vectis.domain.errors import InvalidSetting
from vectis.domain.shapes import Shape


class ServerSettings(Shape, frozen=True):
    """Where the server listens and keeps its data. `uds`: a Unix socket instead of host and port."""

    host: str = "127.0.0.1"
    port: int = 8000
    uds: str = ""
    workers: int = 1
    data_dir: str = ".vectis"
    body_bytes_max: int = 33_554_432


class StoreSettings(Shape, frozen=True):
    """The control store. Empty: a SQLite file in the data folder."""

    url: str = ""


class EngineSettings(Shape, frozen=True):
    """`edge`: embedded, in an engine process. `qdrant`: a Qdrant server at `url`; chosen by itself when a url is given."""

    kind: Literal["", "edge", "qdrant"] = ""
    url: str = ""
    api_key: str = ""
    grpc: bool = True
    timeout_s: float = 10.0


class EmbedderSettings(Shape, frozen=True):
    """`minilm`: weights installed here. `openai`: an OpenAI-compatible endpoint at `url`. `none`: BM25 alone."""

    kind: Literal["minilm", "openai", "none"] = "minilm"
    threads: int = 2
    weights_dir: str = ""
    url: str = "https://api.openai.com/v1"
    api_key: str = ""
    model: str = "text-embedding-3-small"
    dimension: int = 1536
    timeout_s: float = 30.0
    cache_bytes: int = 33_554_432


class SearchSection(Shape, frozen=True):
    """Bounds of one search request."""

    limit_max: int = 1000
    batch_max: int = 100
    timeout_s: float = 30.0


class JobSettings(Shape, frozen=True):
    """Background work: `name` is the worker's stable name, under which it finds its unfinished jobs again."""

    name: str = "worker-1"
    concurrency: int = 1
    attempts_max: int = 5


class LogSettings(Shape, frozen=True):
    """`format` auto: readable on a terminal, JSON lines elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(Shape, frozen=True):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    engine: EngineSettings = EngineSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    search: SearchSection = SearchSection()
    jobs: JobSettings = JobSettings()
    log: LogSettings = LogSettings()


ALIASES: dict[str, tuple[str, str]] = {
    "DATABASE_URL": ("store", "url"),
    "QDRANT_URL": ("engine", "url"),
    "QDRANT_API_KEY": ("engine", "api_key"),
    "OPENAI_API_KEY": ("embedder", "api_key"),
    "OPENAI_BASE_URL": ("embedder", "url"),
    "DEFAULT_EMBEDDING_MODEL": ("embedder", "model"),
    "VECTOR_SEARCH_BATCH_SIZE": ("search", "batch_max"),
    "VECTOR_SEARCH_TIMEOUT": ("search", "timeout_s"),
    "LOG_LEVEL": ("log", "level"),
    "LOG_FORMAT": ("log", "format"),
}
"""Keys of other tools that are understood; a VECTIS_ key for the same field weighs more."""

_PREFIX = "VECTIS_"


def load(file: Path | None, overrides: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """Read the settings. `overrides` are `owner.field` -> text, from the command line.

    Raises InvalidSetting naming the key, where it stands, and what is allowed.
    """
    values: dict[str, dict[str, Any]] = {}
    if file is not None:
        _merge_file(values, file)
    for key, (owner, field) in ALIASES.items():
        if environment.get(key):
            text = environment[key]
            values.setdefault(owner, {})[field] = text.lower() if owner == "log" else text
    for key in sorted(environment):
        if key.startswith(_PREFIX):
            owner, field = _known(key, key[len(_PREFIX) :].lower().partition("__"))
            values.setdefault(owner, {})[field] = environment[key]
    for key, text in overrides.items():
        owner, field = _known(key, key.partition("."))
        values.setdefault(owner, {})[field] = text
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"settings: {error}; `vectis serve --help` and docs/configuration.md list them") from None
    return _checked(settings)


def _merge_file(values: dict[str, dict[str, Any]], file: Path) -> None:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"{file}: cannot be read as TOML: {error}", file=str(file)) from None
    for owner, fields in content.items():
        if not isinstance(fields, dict):
            raise InvalidSetting(f"{file}: {owner} must be a section such as [server]", file=str(file))
        for field, value in fields.items():  # pyright: ignore[reportUnknownVariableType]
            owner, field = _known(f"{owner}.{field} in {file}", (owner, ".", str(field)))  # pyright: ignore[reportUnknownArgumentType]
            values.setdefault(owner, {})[field] = value


def _known(key: str, parts: tuple[str, str, str]) -> tuple[str, str]:
    owner, _, field = parts
    owners = Settings.__struct_fields__
    if owner not in owners:
        raise InvalidSetting(f"{key}: no such setting; the owners are {', '.join(owners)}", key=key)
    section: Shape = getattr(Settings(), owner)
    fields = section.__struct_fields__
    if field not in fields:
        raise InvalidSetting(f"{key}: no such setting; {owner} has {', '.join(fields)}", key=key)
    return owner, field


def _checked(settings: Settings) -> Settings:
    server = settings.server
    if not 0 <= server.port <= 65_535:
        raise InvalidSetting(f"server.port: {server.port} is not a port (0 chooses a free one)", key="server.port")
    if not 1 <= server.workers <= 64:
        raise InvalidSetting(f"server.workers: {server.workers} is outside 1 to 64", key="server.workers")
    if server.host not in ("127.0.0.1", "localhost", "::1"):
        raise InvalidSetting(
            f"server.host: {server.host} is not a loopback address; without access control Vectis listens on 127.0.0.1 only",
            key="server.host",
        )
    engine = settings.engine
    if engine.kind == "qdrant" and not engine.url:
        raise InvalidSetting("engine.url: say where the Qdrant server is, e.g. http://127.0.0.1:6333", key="engine.url")
    if not engine.kind:
        engine = msgspec.structs.replace(engine, kind="qdrant" if engine.url else "edge")
    return msgspec.structs.replace(settings, engine=engine)

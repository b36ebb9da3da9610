"""Applying a configuration to the processes of a running server: validate, try, keep it when it is healthy, else go back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
import structlog

from vectis.domain.errors import Conflict, InvalidSetting
from vectis.runtime.configuration.checks import Objection
from vectis.runtime.configuration.link import ApplyRequest, AskValidity, ChangeReport, Request, Validity
from vectis.runtime.configuration.listing import differences, values
from vectis.runtime.configuration.loading import Configuration, around, plain_secrets, read
from vectis.runtime.configuration.sources import Given, Unusable, from_text
from vectis.runtime.configuration.versions import VersionedFile
from vectis.runtime.health import HealthGrade, ask_health

FIXED = ("server.data_dir", "server.host", "server.port", "server.uds")
"""What a server is asked for by others: it changes with a start, not while it runs."""

PATHS = ("embedder.weights_dir", "log.file", "reranker.folder")
"""Settings that are themselves the path of what the server reads or writes."""

KEYED = ("engine", "embedder", "reranker", "generator")
"""Settings with an address, `url`, to which a key is sent, `api_key`."""

ASK_EVERY_S = 0.5
GOOD_ANSWERS = 3

log = structlog.stdlib.get_logger("vectis.configuration")

Replace = Callable[[Configuration, bool], Awaitable[str]]
"""Bring the processes to a configuration; insisting or not. Empty when all are ready, else why not."""


class ConfigurationChanges:
    """One change at a time. The file is replaced last, so a kill before that starts with what worked."""

    def __init__(
        self,
        configuration: Configuration,
        file: VersionedFile,
        *,
        overrides: Mapping[str, str],
        environment: Mapping[str, str],
        replace: Replace,
        url: str,
        ready: asyncio.Event,
    ) -> None:
        self._running = configuration
        self._file = file
        self._overrides = overrides
        self._environment = environment
        self._replace = replace
        self._url = url
        self._ready = ready
        self._last = ChangeReport()
        self._work: asyncio.Task[None] | None = None

    async def answer(self, request: Request) -> ChangeReport | Validity:
        """Begin a change, say how the last one stands, or look at the file. Raises InvalidSetting, Conflict, NotFound."""
        if isinstance(request, AskValidity):
            return await asyncio.to_thread(self._validity)
        if isinstance(request, ApplyRequest):
            await self._begin(request)
        elif request.until_done and self._work is not None:
            await asyncio.wait({self._work})
        return msgspec.structs.replace(self._last, file=str(self._file.file))

    def _validity(self) -> Validity:
        """Waits for files and commands that values refer to."""
        file = self._file.file if self._file.file.exists() else None
        found = read(file, self._overrides, self._environment)
        waiting = differences(self._running.settings, found.settings)
        return Validity(found.objections, found.warnings, tuple(waiting))

    async def _begin(self, request: ApplyRequest) -> None:
        await self._ready.wait()
        if self._work is not None and not self._work.done():
            raise Conflict("a change of the configuration is under way; wait for it")
        text, suffix, description = wanted(request, self._file)
        self._file.take_format(suffix)
        given = list(from_text(text, suffix, f"file {self._file.file}"))
        if not request.trusted:
            self._refuse_unknown_references(given)
        candidate = await asyncio.to_thread(self._checked, given)
        if not request.trusted:
            self._refuse_keys_elsewhere(given, candidate)
        if self._work is not None and not self._work.done():
            raise Conflict("a change of the configuration is under way; wait for it")
        self._last = ChangeReport("applying", unused=tuple(_unused(given, candidate)))
        self._work = asyncio.create_task(self._apply(request, description, text, candidate))

    def _checked(self, given: list[Given | Unusable]) -> Configuration:
        """Waits for files and commands that values refer to."""
        found = resolved_with(given, self._file, self._overrides, self._environment)
        before, after = values(self._running.settings), values(found.settings)
        fixed = [
            Objection(key, "cannot change while the server runs: start it anew with this")
            for key in FIXED
            if before[key] != after[key]
        ]
        return msgspec.structs.replace(found, objections=(*found.objections, *fixed)).checked()

    def _refuse_unknown_references(self, given: list[Given | Unusable]) -> None:
        """Whoever may only change settings could read and write any file of this machine by them, and run any program."""
        known = [each.value for each in self._active() if isinstance(each, Given) and _leads_elsewhere(each)]
        for each in given:
            if isinstance(each, Given) and _leads_elsewhere(each) and each.value not in known:
                raise InvalidSetting(
                    f"{each.owner}.{each.field}: a file or command that the active configuration does not name can be brought in "
                    "on the server's own machine only, with `vectis config apply`",
                    key=f"{each.owner}.{each.field}",
                )

    def _refuse_keys_elsewhere(self, given: list[Given | Unusable], candidate: Configuration) -> None:
        """Whoever may only change settings could have a key sent to an address of their own."""
        active = self._active()
        for owner in KEYED:
            before, after = getattr(self._running.settings, owner), getattr(candidate.settings, owner)
            as_before = after.url == before.url and _keys(owner, given) == _keys(owner, active)
            if after.api_key and not as_before:
                raise InvalidSetting(
                    f"{owner}.url: a key is sent there; where it is sent, and which, can be changed on the server's own "
                    "machine only, with `vectis config apply`",
                    key=f"{owner}.url",
                )

    def _active(self) -> list[Given | Unusable]:
        """What the file gives that is in force."""
        return list(from_text(self._file.text(), self._file.file.suffix, ""))

    async def _apply(self, request: ApplyRequest, description: str, text: str, candidate: Configuration) -> None:
        log.info("configuration_applying", author=request.author, description=description)
        self._file.keep_point(request.author)
        before, health = self._running, await ask_health(self._url)
        failure = await self._replace(candidate, False) or await self._unhealthy(health, request.health_timeout_s)
        if failure:
            await self._replace(before, True)
            number = self._file.keep(request.author, description, text, taken_back=failure)
            log.error("configuration_taken_back", number=number, detail=failure)
        else:
            self._running = candidate
            number = self._file.keep(request.author, description, text)
            log.info("configuration_applied", number=number)
        state = "taken_back" if failure else "applied"
        self._last = msgspec.structs.replace(self._last, state=state, number=number, detail=failure)

    async def _unhealthy(self, before: HealthGrade, timeout_s: float) -> str:
        """Empty once the server was several times in a row no worse than `before`; else what it said at the end of the time."""
        good, said = 0, ""
        try:
            async with asyncio.timeout(timeout_s):
                while good < GOOD_ANSWERS:
                    health = await ask_health(self._url)
                    good = good + 1 if health <= before else 0
                    said = f"its health was {health.name.lower()}"
                    if good < GOOD_ANSWERS:
                        await asyncio.sleep(ASK_EVERY_S)  # it is looked at for a while, on purpose
        except TimeoutError:
            return f"not healthy within {timeout_s:g} s: {said or 'it did not answer'}"
        return ""


def _leads_elsewhere(given: Given) -> bool:
    return given.elsewhere or (f"{given.owner}.{given.field}" in PATHS and given.value != "")


def _keys(owner: str, given: Iterable[Given | Unusable]) -> list[object]:
    return [each.value for each in given if isinstance(each, Given) and (each.owner, each.field) == (owner, "api_key")]


def wanted(request: ApplyRequest, file: VersionedFile) -> tuple[str, str, str]:
    """Content, suffix and description of what is to be applied. Raises NotFound for a version that there is not."""
    if request.text is not None:
        return request.text, request.suffix, request.description
    version = file.version(request.number)
    return version.text, version.suffix, request.description or f"back to version {version.number}"


def resolved_with(
    given: Iterable[Given | Unusable], file: VersionedFile, overrides: Mapping[str, str], environment: Mapping[str, str]
) -> Configuration:
    """The configuration that a file of versions would make with this content; secrets in plain text are objected to."""
    given = list(given)
    found = around(given, overrides, environment, inside=file.inside)
    secrets = tuple(plain_secrets(given))
    return msgspec.structs.replace(found, objections=(*found.objections, *secrets), file=str(file.file))


def _unused(given: list[Given | Unusable], candidate: Configuration) -> Iterable[str]:
    for each in given:
        if isinstance(each, Given):
            origin = candidate.origins.get(f"{each.owner}.{each.field}", each.origin)
            if origin != each.origin:
                yield f"{each.owner}.{each.field}: {origin} weighs more"

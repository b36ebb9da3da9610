"""Whether each part answers, asked with a deadline. Nothing is assumed; what is remembered says how old it is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from vectis.domain.access import Pass, Permission
from vectis.domain.errors import VectisError
from vectis.domain.ports.clock import Clock

SHARED_S = 0.2
"""Who asks for the health gets what was found so long ago at most: it is asked without credentials, and looking costs."""

Probe = Callable[[], Awaitable[str]]
"""Asks one part and says in a few words what it found; raises VectisError when the part does not answer."""


class Surrounding(msgspec.Struct, frozen=True):
    """A probe with a deadline of its own; an answer is good for `kept_s`, since asking costs."""

    probe: Probe
    deadline_s: float
    kept_s: float = 0.0


class Finding(msgspec.Struct, frozen=True):
    """What one probe found."""

    ok: bool
    detail: str
    took_ms: float


class Look(msgspec.Struct, frozen=True):
    """What one look found, and when: `ok`, `warning` for what can be done without, or `failed`."""

    state: Literal["ok", "warning", "failed"]
    detail: str
    took_ms: float
    at: datetime
    age_s: float


class Readiness(msgspec.Struct, frozen=True):
    """`healthy`: all answer; `degraded`: only parts that search can do without do not; `unhealthy`: a needed part does not."""

    status: str
    findings: dict[str, Finding]
    at: datetime


class ReadinessService:
    """Asks all probes at once. Those of `surroundings` are looked at on demand and are no part of the health."""

    def __init__(
        self,
        *,
        needed: Mapping[str, Probe],
        optional: Mapping[str, Probe],
        surroundings: Mapping[str, Surrounding],
        clock: Clock,
        deadline_s: float,
    ) -> None:
        self._needed = needed
        self._optional = optional
        self._surroundings = surroundings
        self._remembered: dict[str, Look] = {}
        self._clock = clock
        self._deadline_s = deadline_s
        self._looking: asyncio.Task[Readiness] | None = None
        self._began_s = 0.0

    async def check(self) -> Readiness:
        """How every part answers, as looked at by one look for all who ask within 0.2 s.

        Takes at most the deadline; never raises for a part that fails.
        """
        now_s = self._clock.monotonic()
        if self._looking is None or (self._looking.done() and now_s - self._began_s >= SHARED_S):
            self._looking, self._began_s = asyncio.create_task(self._ask_all()), now_s
        return await asyncio.shield(self._looking)

    async def _ask_all(self) -> Readiness:
        at = self._clock.now()
        probes = {**self._needed, **self._optional}
        findings = dict(
            zip(
                probes,
                await asyncio.gather(*(self._ask(probe, self._deadline_s) for probe in probes.values())),
                strict=True,
            )
        )
        if not all(findings[name].ok for name in self._needed):
            status = "unhealthy"
        else:
            status = "healthy" if all(finding.ok for finding in findings.values()) else "degraded"
        return Readiness(status=status, findings=findings, at=at)

    async def examine(self, by: Pass) -> dict[str, Look]:
        """Look at every part and at the surroundings; only what is costly is remembered for a while."""
        by.require(Permission.VIEW_METRICS)
        parts = {
            name: Surrounding(probe, self._deadline_s) for name, probe in {**self._optional, **self._needed}.items()
        }
        looks = {**parts, **self._surroundings}
        found = await asyncio.gather(*(self._look(name, look) for name, look in looks.items()))
        return dict(zip(looks, found, strict=True))

    async def _look(self, name: str, look: Surrounding) -> Look:
        now = self._clock.now()
        known = self._remembered.get(name)
        if known is not None and (age_s := (now - known.at).total_seconds()) < look.kept_s:
            return msgspec.structs.replace(known, age_s=round(age_s, 3))
        finding = await self._ask(look.probe, look.deadline_s)
        bad = "failed" if name in self._needed else "warning"
        evidence = Look("ok" if finding.ok else bad, finding.detail, finding.took_ms, now, 0.0)
        self._remembered[name] = evidence
        return evidence

    async def _ask(self, probe: Probe, deadline_s: float) -> Finding:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(deadline_s):
                ok, detail = True, await probe()
        except TimeoutError:
            ok, detail = False, f"no answer within {deadline_s:g} s"
        except VectisError as error:
            ok, detail = False, error.message
        return Finding(ok=ok, detail=detail, took_ms=round((self._clock.monotonic() - started) * 1000, 3))

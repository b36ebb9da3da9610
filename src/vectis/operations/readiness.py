"""Whether each part answers now, asked with a deadline. Nothing is assumed and nothing is remembered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from vectis.domain.errors import VectisError
from vectis.domain.ports.clock import Clock

Probe = Callable[[], Awaitable[str]]
"""Asks one part and says in a few words what it found; raises VectisError when the part does not answer."""


class Finding(msgspec.Struct, frozen=True):
    """What one probe found."""

    ok: bool
    detail: str
    took_ms: float


class Readiness(msgspec.Struct, frozen=True):
    """`healthy`: all answer; `degraded`: only parts that search can do without do not; `unhealthy`: a needed part does not."""

    status: str
    findings: dict[str, Finding]


class ReadinessService:
    """Asks all probes at once."""

    def __init__(
        self, *, needed: Mapping[str, Probe], optional: Mapping[str, Probe], clock: Clock, deadline_s: float
    ) -> None:
        self._needed = needed
        self._optional = optional
        self._clock = clock
        self._deadline_s = deadline_s

    async def check(self) -> Readiness:
        """Ask every part. Takes at most the deadline; never raises for a part that fails."""
        probes = {**self._needed, **self._optional}
        findings = dict(zip(probes, await asyncio.gather(*map(self._ask, probes.values())), strict=True))
        if not all(findings[name].ok for name in self._needed):
            status = "unhealthy"
        else:
            status = "healthy" if all(finding.ok for finding in findings.values()) else "degraded"
        return Readiness(status=status, findings=findings)

    async def _ask(self, probe: Probe) -> Finding:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._deadline_s):
                ok, detail = True, await probe()
        except TimeoutError:
            ok, detail = False, f"no answer within {self._deadline_s} s"
        except VectisError as error:
            ok, detail = False, error.message
        return Finding(ok=ok, detail=detail, took_ms=round((self._clock.monotonic() - started) * 1000, 3))

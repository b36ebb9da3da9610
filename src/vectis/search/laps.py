"""How long the stages of one search take."""

from vectis.domain.ports.clock import Clock


class Laps:
    """The milliseconds of each stage since the one before ended; a stage that comes twice is added up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self.stages_ms: dict[str, float] = {}

    def end(self, stage: str) -> None:
        """The stage that ran is `stage`."""
        now = self._clock.monotonic()
        self.stages_ms[stage] = round(self.stages_ms.get(stage, 0.0) + (now - self._started) * 1000, 3)
        self._started = now

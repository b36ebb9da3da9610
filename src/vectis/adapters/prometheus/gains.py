"""What modes of search gain, as it was measured on judged queries: asked for when the page is."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vectis.domain.gains import Gain

_FIGURES: dict[str, tuple[str, Callable[[Gain], float]]] = {
    "vectis_judged_gain": ("Mean difference in nDCG@10 of a mode of search and another", lambda gain: gain.difference),
    "vectis_judged_gain_low": ("Begin of its 95 % interval", lambda gain: gain.low),
    "vectis_judged_gain_high": ("End of its 95 % interval", lambda gain: gain.high),
    "vectis_judged_gain_queries": ("Judged queries that it was measured on", lambda gain: gain.queries),
    "vectis_judged_gain_timestamp_seconds": ("When it was measured", lambda gain: gain.at.timestamp()),
}


class Gains(Collector):
    """One look at what is kept, by collection; what was not measured has no series."""

    def __init__(self, gains: Mapping[str, Sequence[Gain]]) -> None:
        self._gains = gains

    def collect(self) -> Iterable[Metric]:
        for name, (text, figure) in _FIGURES.items():
            family = GaugeMetricFamily(name, text, labels=["collection", "mode", "against"])
            for collection, gains in self._gains.items():
                for gain in gains:
                    family.add_metric([collection, gain.mode, gain.against], figure(gain))
            yield family

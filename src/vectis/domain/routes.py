"""The RouteTable: alias -> weighted targets. Rollouts write it, search reads it; a plain alias is one target of weight 100."""

from collections.abc import Iterable
from hashlib import md5

import msgspec

from vectis.domain.errors import InvalidInput
from vectis.domain.shapes import Shape

STABLE = "stable"
"""The variant that answers where nothing is rolled out, and that all others are held against."""

INTERLEAVED = "interleaved"
"""What an answer that was mixed of both says instead of its variant."""


class Target(Shape, frozen=True):
    """One collection in a route. `weight_percent` has two decimals at most."""

    collection: str
    variant: str = STABLE
    weight_percent: float = 100.0


class Routing(msgspec.Struct, frozen=True):
    """What a request says about who shall answer it.

    `key` decides; `sticky`: its sender gave it and keeps it, otherwise it is the request's own. `variant` is the one that a
    tester wants, whatever the key.
    """

    key: str = ""
    sticky: bool = False
    variant: str = ""


class Mirror(msgspec.Struct, frozen=True):
    """Of `percent` of an alias's queries the same is asked of the first target and, in turns, of one of the `collections`.

    Each of them is the collection of the variant it stands under, unless the first target is that variant and the collection is
    what it is held against (`as_stable`). `exact`: the exact answer of the stable one is looked up too, so that recall can be
    told. Nobody gets to see these answers.
    """

    collections: dict[str, str]
    percent: float
    exact: bool = False
    as_stable: bool = False


class RoutePlan(msgspec.Struct, frozen=True):
    """What an alias shall resolve to; weights add up to 100. The first target answers who may not be split.

    Every write to one of the targets or `followers` goes to all of them: that is how nothing is lost, whichever way a rollout
    goes. Of `interleave_percent` of the routing keys, questions in words are answered by both targets together.
    """

    targets: tuple[Target, ...]
    salt: str = ""
    followers: tuple[str, ...] = ()
    mirror: Mirror | None = None
    interleave_percent: float = 0.0

    def assign(self, key: str) -> Target:
        """The target for a request with routing key `key`; the same key gets the same one while weights stand."""
        if len(self.targets) == 1:
            return self.targets[0]
        position, upper = bucket(self.salt, key), 0.0
        for target in reversed(self.targets):
            upper += target.weight_percent
            if position < upper:
                return target
        return self.targets[0]

    def choose(self, routing: Routing) -> Target:
        """The target that a request gets. InvalidInput when it wants a variant that there is not."""
        if not routing.variant:
            return self.assign(routing.key)
        for target in self.targets:
            if target.variant == routing.variant:
                return target
        there = ", ".join(target.variant for target in self.targets)
        raise InvalidInput(
            f"X-Vectis-Variant: no variant {routing.variant[:40]!r} answers now; there is {there}",
            field="X-Vectis-Variant",
        )

    def interleaves(self, routing: Routing) -> bool:
        """Whether a request's questions in words are answered by both targets together.

        By a hash of its own: whether a key is interleaved says nothing about the variant that it has elsewhere.
        """
        if not self.interleave_percent or not routing.sticky or routing.variant:
            return False
        return bucket(f"{self.salt} {INTERLEAVED} ", routing.key) < self.interleave_percent

    @property
    def written(self) -> tuple[str, ...]:
        """The collections that every write goes to."""
        return tuple(dict.fromkeys([*(target.collection for target in self.targets), *self.followers]))

    @property
    def collections(self) -> frozenset[str]:
        """All that it needs."""
        return frozenset(self.written if self.mirror is None else (*self.written, *self.mirror.collections.values()))

    @property
    def under_rollout(self) -> bool:
        """Whether a rollout is at work on it."""
        return len(self.targets) > 1 or bool(self.followers) or self.mirror is not None


class Route(msgspec.Struct, frozen=True):
    """What an alias resolves to. `version` grows with each change of the alias."""

    alias: str
    plan: RoutePlan
    version: int = 1

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where its queries go."""
        return self.plan.targets


class RouteTable:
    """An immutable picture of all routes."""

    def __init__(self, routes: tuple[Route, ...] = ()) -> None:
        self._routes = {route.alias: route for route in routes}
        self._companions = _companions(routes)

    def __contains__(self, alias: object) -> bool:
        return alias in self._routes

    def get(self, alias: str) -> Route | None:
        """The route of `alias`, None when it is not an alias."""
        return self._routes.get(alias)

    def routes(self) -> tuple[Route, ...]:
        """All routes, in order of their aliases."""
        return tuple(self._routes[alias] for alias in sorted(self._routes))

    def assign(self, name: str, key: str) -> Target:
        """The target for a request; a name that is no alias is a collection and comes back as its own only target."""
        route = self._routes.get(name)
        return Target(collection=name) if route is None else route.plan.assign(key)

    def companions(self, collection: str) -> tuple[str, ...]:
        """The other collections that get what is written to this one."""
        return self._companions.get(collection, ())


def _companions(routes: Iterable[Route]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for plan in (route.plan for route in routes if route.plan.under_rollout):
        for name in plan.written:
            others = [other for other in plan.written if other != name]
            found[name] = tuple(dict.fromkeys([*found.get(name, ()), *others]))
    return found


def bucket(salt: str, key: str) -> float:
    """A number in [0, 100) with two decimals, even over keys: x % 100 + (x // 100 % 100) / 100 of the first 32 bits of MD5."""
    x = int(md5((salt + key).encode(), usedforsecurity=False).hexdigest()[:8], 16)
    return x % 100 + (x // 100 % 100) / 100

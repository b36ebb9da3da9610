"""The RouteTable: alias -> weighted targets. Rollouts write it, search reads it; a plain alias is one target of weight 100."""

from hashlib import md5

import msgspec

from vectis.domain.shapes import Shape


class Target(Shape, frozen=True):
    """One collection in a route. `weight_percent` has two decimals at most."""

    collection: str
    variant: str = "stable"
    weight_percent: float = 100.0


class Route(msgspec.Struct, frozen=True):
    """What an alias resolves to; weights add up to 100. `version` grows with each change of the alias."""

    alias: str
    targets: tuple[Target, ...]
    salt: str = ""
    version: int = 1


class RouteTable:
    """An immutable picture of all routes."""

    def __init__(self, routes: tuple[Route, ...] = ()) -> None:
        self._routes = {route.alias: route for route in routes}

    def __contains__(self, alias: object) -> bool:
        return alias in self._routes

    def get(self, alias: str) -> Route | None:
        """The route of `alias`, None when it is not an alias."""
        return self._routes.get(alias)

    def routes(self) -> tuple[Route, ...]:
        """All routes, in order of their aliases."""
        return tuple(self._routes[alias] for alias in sorted(self._routes))

    def assign(self, name: str, key: str) -> Target:
        """The target for a request with routing key `key`.

        A name that is no alias is a collection and comes back as its own only target. Of several targets the same key gets
        the same one while weights stand.
        """
        route = self._routes.get(name)
        if route is None:
            return Target(collection=name)
        if len(route.targets) == 1:
            return route.targets[0]
        position, upper = bucket(route.salt, key), 0.0
        for target in reversed(route.targets):
            upper += target.weight_percent
            if position < upper:
                return target
        return route.targets[0]


def bucket(salt: str, key: str) -> float:
    """A number in [0, 100) with two decimals, even over keys: x % 100 + (x // 100 % 100) / 100 of the first 32 bits of MD5."""
    x = int(md5((salt + key).encode(), usedforsecurity=False).hexdigest()[:8], 16)
    return x % 100 + (x // 100 % 100) / 100

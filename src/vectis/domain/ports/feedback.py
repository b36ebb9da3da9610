"""Where feedback is kept. Every method is one transaction and may raise StoreUnavailable."""

from typing import Protocol

from vectis.domain.feedback import Opinion


class FeedbackStore(Protocol):
    """Opinions by alias and version of its route. They are removed with the traffic of their time."""

    async def put_opinion(self, opinion: Opinion) -> bool:
        """Keep one; the first of its kind about the same result of the same query stays. DiskFull.

        False, and nothing kept, when this routing key has said enough under this version of the route.
        """
        ...

    async def opinions(self, alias: str, route_version: int) -> list[Opinion]:
        """Those under this version of the route and later ones, oldest first."""
        ...

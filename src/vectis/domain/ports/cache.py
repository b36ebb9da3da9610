"""A bounded cache. It may forget anything at any time; a miss is never an error."""

from typing import Protocol


class Cache(Protocol):
    """Bytes by key. Keys say their namespace first: `embedding:<profile>:<hash>`."""

    async def get(self, key: str) -> bytes | None:
        """None on a miss."""
        ...

    async def put(self, key: str, value: bytes) -> None:
        """Keep it if there is room."""
        ...

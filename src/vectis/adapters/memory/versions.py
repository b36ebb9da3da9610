"""Marks of one process, for tests and trials."""


class MemoryVersions:
    """vectis.domain.ports.versions.Versions; `written` makes another mark for a collection."""

    def __init__(self) -> None:
        self._directory = 0
        self._collections: dict[str, int] = {}

    def collection(self, name: str) -> int | None:
        """See the port."""
        return self._collections.get(name, 0)

    def directory(self) -> int:
        """See the port."""
        return self._directory

    def directory_changed(self) -> None:
        """See the port."""
        self._directory += 1

    def written(self, name: str) -> None:
        """The points of `name` changed."""
        self._collections[name] = self._collections.get(name, 0) + 1

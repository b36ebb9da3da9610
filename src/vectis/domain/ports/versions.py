"""What has been written so far, as marks that stay equal only while nothing changed. Every key of a cached answer holds them."""

from typing import Protocol


class Versions(Protocol):
    """Marks that all processes of a server see at once; looking costs no exchange with anyone.

    Who looks first and reads then gets what is at least as new as the mark. So what is kept under a mark that still stands
    is what would be read now.
    """

    def collection(self, name: str) -> int | None:
        """The mark of a collection's points: another one before a write is acknowledged.

        None where nobody counts writes; then nothing that was read may be kept.
        """
        ...

    def directory(self) -> int:
        """The mark of collections, their settings, and routes: another one before a change is acknowledged."""
        ...

    def directory_changed(self) -> None:
        """Make another mark: called after each change of what the directory holds, before it is acknowledged."""
        ...

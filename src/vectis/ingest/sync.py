"""What to send so that a collection holds a source as it is now. Pure; reading both sides is the caller's."""

from collections.abc import Iterable

import msgspec


class SyncPlan(msgspec.Struct, frozen=True):
    """Ids of documents to send (new or changed), to leave alone, and to remove (gone from the source); each sorted."""

    send: list[str]
    unchanged: list[str]
    remove: list[str]


def plan_sync(local: Iterable[tuple[str, str]], remote: Iterable[tuple[str, str]]) -> SyncPlan:
    """Compare (id, content hash) pairs of the source with those of the collection's documents of that source.

    A remote hash of "" stands for a document that is not searchable as sent, so it is sent again.
    """
    here, there = dict(local), dict(remote)
    return SyncPlan(
        send=sorted(id for id, digest in here.items() if there.get(id) != digest),
        unchanged=sorted(id for id, digest in here.items() if there.get(id) == digest),
        remove=sorted(there.keys() - here.keys()),
    )

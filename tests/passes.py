"""Passes for tests that call services directly."""

from vectis.domain.access import (
    ANYONE,
    Caller,
    CollectionPass,
    Pass,
    Permission,
    authorize,
    authorize_on,
)


def reads(name: str, caller: Caller = ANYONE) -> CollectionPass:
    """To read this collection."""
    return authorize_on(caller, Permission.READ_COLLECTIONS, name)


def writes(name: str, caller: Caller = ANYONE) -> CollectionPass:
    """To write this collection."""
    return authorize_on(caller, Permission.WRITE_COLLECTIONS, name)


def deletes(name: str, caller: Caller = ANYONE) -> CollectionPass:
    """To delete this collection."""
    return authorize_on(caller, Permission.DELETE_COLLECTIONS, name)


def reads_all(caller: Caller = ANYONE) -> Pass:
    """To read what there is."""
    return authorize(caller, Permission.READ_COLLECTIONS)

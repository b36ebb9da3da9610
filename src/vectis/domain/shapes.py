"""The base of everything that callers may write as JSON: frozen, and an unknown key is an error."""

import msgspec


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value decoded from outside. An unknown key is refused, so that no field is accepted and ignored."""

"""How a configuration is shown: every setting with its value, secrets masked, and its origin; and how two differ."""

from typing import Any

import msgspec

from vectis.runtime.configuration.loading import DEFAULT, Configuration
from vectis.runtime.secret import Secret
from vectis.runtime.settings import Settings


class Line(msgspec.Struct, frozen=True):
    """One setting as shown: a secret as `***`."""

    key: str
    value: Any
    origin: str


class Difference(msgspec.Struct, frozen=True):
    """A setting that two configurations give different values. Two different secrets both show as `***`."""

    key: str
    before: Any
    after: Any


def listing(configuration: Configuration) -> list[Line]:
    """Every setting, in the order of their owners."""
    return [
        Line(key, _shown(value), configuration.origins.get(key, DEFAULT))
        for key, value in values(configuration.settings).items()
    ]


def differences(before: Settings, after: Settings) -> list[Difference]:
    """What changes from one to the other."""
    others = values(after)
    return [
        Difference(key, _shown(value), _shown(others[key]))
        for key, value in values(before).items()
        if value != others[key]
    ]


def values(settings: Settings) -> dict[str, Any]:
    """`owner.field` -> value, as it is used."""
    return {
        f"{owner}.{field}": value
        for owner, section in msgspec.structs.asdict(settings).items()
        for field, value in msgspec.structs.asdict(section).items()
    }


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, Secret) else value

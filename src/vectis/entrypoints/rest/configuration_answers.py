"""What callers get about the configuration: one struct per answer, as in answers.py."""

from datetime import datetime
from typing import Any

import msgspec

from vectis.domain.collections import SettingsVersion


class SettingView(msgspec.Struct):
    """One setting, secrets masked, and where its value comes from."""

    key: str
    value: Any
    origin: str


class ConfigurationChange(msgspec.Struct):
    """The last change since the start: none, applying, applied or taken_back, with its version once it is done.

    `file` is the active configuration. `unused` are settings in it that the environment or command line outweighs.
    """

    state: str
    version: int | None
    detail: str
    file: str
    unused: list[str]


class ConfigurationView(msgspec.Struct):
    """What the answering process was started with."""

    settings: list[SettingView]
    change: ConfigurationChange


class ConfigurationVersionView(msgspec.Struct):
    """One version; `reason` says why it was taken back."""

    number: int
    at: datetime
    author: str
    description: str
    outcome: str
    reason: str
    text: str


class ConfigurationHistory(msgspec.Struct):
    """Every version, newest first; `active` is null when the file was edited by hand."""

    active: int | None
    versions: list[ConfigurationVersionView]


class ObjectionView(msgspec.Struct):
    """A setting that cannot stay as it is."""

    key: str
    detail: str
    origin: str


class WaitingView(msgspec.Struct):
    """A setting whose value in the file is not the one that runs."""

    key: str
    running: Any
    file: Any


class ConfigurationValidity(msgspec.Struct):
    """Whether a start with the file as it is now would work, and what would be different then."""

    valid: bool
    objections: list[ObjectionView]
    warnings: list[str]
    waiting: list[WaitingView]


class SearchSettingsHistory(msgspec.Struct):
    """Every version of a collection's search settings, newest first, which is the one in force."""

    collection: str
    versions: list[SettingsVersion]

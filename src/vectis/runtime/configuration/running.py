"""The configuration as an API process knows it: what it was started with, and what the supervisor can be asked for."""

import asyncio
from pathlib import Path

import msgspec

from vectis.domain.access import Pass, Permission
from vectis.runtime.configuration.link import ApplyRequest, AskChange, ChangeReport, SupervisorLink, Validity
from vectis.runtime.configuration.listing import Line, listing
from vectis.runtime.configuration.loading import Configuration
from vectis.runtime.configuration.versions import ConfigurationVersion, versioned_file
from vectis.runtime.paths import FolderLayout


class History(msgspec.Struct, frozen=True):
    """Every version, newest first, and the number of the one that the file is; None when it was edited by hand."""

    active: int | None
    versions: list[ConfigurationVersion]


class RunningConfiguration:
    """What can be seen and changed from elsewhere. Nothing here shows a secret."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._paths = FolderLayout(Path(configuration.settings.server.data_dir))
        self._link = SupervisorLink(self._paths.supervisor_socket)

    def settings(self, by: Pass) -> list[Line]:
        """Every setting that this process was started with, with its origin."""
        by.require(Permission.SYSTEM_CONFIG)
        return listing(self._configuration)

    async def change(self, by: Pass) -> ChangeReport:
        """How the last change stands. Raises Unavailable."""
        by.require(Permission.SYSTEM_CONFIG)
        return await self._link.change(AskChange())

    async def validity(self, by: Pass) -> Validity:
        """Whether a start with the file as it is now would work. Raises Unavailable."""
        by.require(Permission.VIEW_METRICS)
        return await self._link.validity()

    async def history(self, by: Pass) -> History:
        """The kept versions. Raises Unavailable."""
        file = versioned_file((await self.change(by)).file, self._paths)
        return await asyncio.to_thread(lambda: History(file.active(), file.versions()))

    async def begin(self, by: Pass, request: ApplyRequest) -> ChangeReport:
        """Begin a change in the caller's name; it goes on while the processes are replaced, this one too.

        Raises InvalidSetting, Conflict while another is under way, NotFound for a version, Unavailable.
        """
        by.require(Permission.SYSTEM_CONFIG)
        return await self._link.change(msgspec.structs.replace(request, author=by.caller.name))

"""The configuration of the server and of collections: what is set and why, versions, changing it and going back."""

import msgspec

from vectis.domain.collections import Reconfigured, SettingsVersion
from vectis.entrypoints.rest import configuration_answers as answers
from vectis.entrypoints.rest.operation import Call
from vectis.entrypoints.rest.reception import Amendment
from vectis.runtime.configuration.link import ApplyRequest, ChangeReport
from vectis.runtime.configuration.versions import ConfigurationVersion


async def show(call: Call) -> answers.ConfigurationView:
    """Every setting with its origin, secrets masked, and how the last change stands."""
    running, by = call.services.configuration, call.may_all()
    settings = [
        answers.SettingView(key=line.key, value=line.value, origin=line.origin) for line in running.settings(by)
    ]
    return answers.ConfigurationView(settings=settings, change=_change(await running.change(by)))


async def history(call: Call) -> answers.ConfigurationHistory:
    """Every version that was applied or taken back, newest first."""
    found = await call.services.configuration.history(call.may_all())
    return answers.ConfigurationHistory(active=found.active, versions=[_version(each) for each in found.versions])


async def validate(call: Call) -> answers.ConfigurationValidity:
    """Whether a start with the file as it is now would work, and what it would change."""
    found = await call.services.configuration.validity(call.may_all())
    return answers.ConfigurationValidity(
        valid=not found.objections,
        objections=[answers.ObjectionView(key=o.key, detail=o.detail, origin=o.origin) for o in found.objections],
        warnings=list(found.warnings),
        waiting=[answers.WaitingView(key=w.key, running=w.before, file=w.after) for w in found.waiting],
    )


async def apply(call: Call) -> answers.ConfigurationChange:
    """Begin to apply a configuration."""
    body = call.body
    return await _begin(call, ApplyRequest(text=body.text, suffix=f".{body.format}", description=body.description))


async def rollback(call: Call) -> answers.ConfigurationChange:
    """Begin to go back to an earlier version."""
    return await _begin(call, ApplyRequest(number=call.body.version, description=call.body.description))


async def put_search_settings(call: Call) -> SettingsVersion:
    """Search a collection with other settings."""
    by, body = call.may(call.path["collection"]), call.body
    changed = await call.services.catalog.configure(by, body.search, body.description, read_version=body.read_version)
    return _noted(call, changed)


async def search_settings_history(call: Call) -> answers.SearchSettingsHistory:
    """Every version of a collection's search settings."""
    name = call.path["collection"]
    return answers.SearchSettingsHistory(name, await call.services.catalog.settings_history(call.may(name)))


async def roll_search_settings_back(call: Call) -> SettingsVersion:
    """Search a collection with earlier settings again."""
    by = call.may(call.path["collection"])
    return _noted(call, await call.services.catalog.roll_settings_back(by, call.body.version))


def _noted(call: Call, changed: Reconfigured) -> SettingsVersion:
    call.change = Amendment(msgspec.to_builtins(changed.before), msgspec.to_builtins(changed.after))
    return changed.after


async def _begin(call: Call, request: ApplyRequest) -> answers.ConfigurationChange:
    request = msgspec.structs.replace(request, health_timeout_s=call.body.health_timeout_s)
    by, running = call.may_all(), call.services.configuration
    before = await running.history(by)
    begun = await running.begin(by, request)
    after = {"version": begun.number, "text": request.text, "description": request.description}
    call.change = Amendment({"version": before.active}, after)
    return _change(begun)


def _change(change: ChangeReport) -> answers.ConfigurationChange:
    return answers.ConfigurationChange(
        state=change.state, version=change.number, detail=change.detail, file=change.file, unused=list(change.unused)
    )


def _version(version: ConfigurationVersion) -> answers.ConfigurationVersionView:
    return answers.ConfigurationVersionView(
        number=version.number,
        at=version.at,
        author=version.author,
        description=version.description,
        outcome=version.outcome,
        reason=version.reason,
        text=version.text,
    )

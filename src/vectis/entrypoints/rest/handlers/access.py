"""Users, roles, keys, sessions and tokens."""

from datetime import UTC, datetime

import msgspec

from vectis.access.service import KeyWish
from vectis.domain.ports.access import PrincipalChange
from vectis.domain.principals import BUILT_IN_ROLES, Principal, Role
from vectis.entrypoints.rest import answers, identities
from vectis.entrypoints.rest.operation import Call
from vectis.entrypoints.rest.reception import Amendment


async def create_principal(call: Call) -> identities.PrincipalView:
    """Make a person or a service."""
    body = call.body
    asked = Principal(
        name=body.name,
        kind=body.kind,
        created_at=datetime.now(UTC),
        grants=body.grants,
        tenant=body.tenant,
        contact=body.contact,
    )
    return identities.principal_out(await call.services.access.create_principal(call.may_all(), asked))


async def list_principals(call: Call) -> identities.PrincipalList:
    """All, by name."""
    found = await call.services.access.principals(call.may_all())
    return identities.PrincipalList(users=[identities.principal_out(principal) for principal in found])


async def get_principal(call: Call) -> identities.PrincipalView:
    """One by its name."""
    return identities.principal_out(await call.services.access.principal(call.may_all(), call.path["user"]))


async def change_principal(call: Call) -> identities.PrincipalView:
    """Grants, status, contact."""
    body = call.body
    change = PrincipalChange(grants=body.grants, status=body.status, contact=body.contact)
    by, name = call.may_all(), call.path["user"]
    before = identities.principal_out(await call.services.access.principal(by, name))
    after = identities.principal_out(await call.services.access.change_principal(by, name, change))
    call.change = Amendment(msgspec.to_builtins(before), msgspec.to_builtins(after))
    return after


async def delete_principal(call: Call) -> answers.Deleted:
    """With its keys and sessions."""
    await call.services.access.remove_principal(call.may_all(), call.path["user"])
    return answers.Deleted()


async def set_password(call: Call) -> identities.PrincipalView:
    """Which ends the person's sessions."""
    name = call.path["user"]
    await call.services.access.set_password(call.may_all(), name, call.body.password)
    return identities.principal_out(await call.services.access.principal(call.may_all(), name))


async def rotate_keys(call: Call) -> identities.KeyMade:
    """One key in the place of all that the principal has."""
    return identities.made_key_out(await call.services.access.rotate_keys(call.may_all(), call.path["user"]))


async def create_key(call: Call) -> identities.KeyMade:
    """A key, and a service for it when there is none."""
    body = call.body
    wish = KeyWish(
        principal=body.principal,
        role=body.role,
        collections=body.collections,
        permissions=body.permissions,
        tenant=body.tenant,
        contact=body.contact,
        expires_at=body.expires_at,
        addresses=body.addresses,
    )
    return identities.made_key_out(await call.services.access.create_key(call.may_all(), wish))


async def list_keys(call: Call) -> identities.KeyList:
    """Without their texts."""
    found = await call.services.access.keys(call.may_all(), call.query.principal)
    return identities.KeyList(keys=[identities.key_out(key) for key in found])


async def revoke_key(call: Call) -> answers.Deleted:
    """For good."""
    await call.services.access.revoke_key(call.may_all(), call.path["id"])
    return answers.Deleted()


async def list_roles(call: Call) -> identities.RoleList:
    """Built-in ones first."""
    found = await call.services.access.roles(call.may_all())
    return identities.RoleList(
        roles=[identities.role_out(role, built_in=role.name in BUILT_IN_ROLES) for role in found]
    )


async def put_role(call: Call) -> identities.RoleView:
    """Create or replace an own role."""
    by, role = call.may_all(), Role(call.path["role"], call.body.permissions)
    known = {each.name: each for each in await call.services.access.roles(by)}.get(role.name)
    made = identities.role_out(await call.services.access.put_role(by, role), built_in=False)
    call.change = Amendment(None if known is None else msgspec.to_builtins(known), msgspec.to_builtins(made))
    return made


async def delete_role(call: Call) -> answers.Deleted:
    """That nobody has."""
    await call.services.access.remove_role(call.may_all(), call.path["role"])
    return answers.Deleted()


async def list_sessions(call: Call) -> identities.SessionList:
    """Of one person or of all."""
    found = await call.services.access.sessions(call.may_all(), call.query.principal)
    return identities.SessionList(sessions=[identities.session_out(session) for session in found], count=len(found))


async def end_session(call: Call) -> answers.Deleted:
    """Its tokens work no more."""
    await call.services.access.end_session(call.may_all(), call.path["id"])
    return answers.Deleted()


async def rotate_signing_key(call: Call) -> identities.SigningKeyMade:
    """Tokens under the key before live their time out."""
    return identities.SigningKeyMade(kid=await call.services.access.rotate_signing_key(call.may_all()))


async def log_in(call: Call) -> identities.Tokens:
    """Tokens for a name and a password."""
    tokens = identities.tokens_out(await call.services.logins.log_in(call.body.name, call.body.password))
    call.change = Amendment(None, None)  # a session began: nothing of it may be kept in words
    return tokens


async def refresh(call: Call) -> identities.Tokens:
    """Tokens for a refresh token, which is used up."""
    return identities.tokens_out(await call.services.logins.refresh(call.body.refresh_token))


async def log_out(call: Call) -> answers.Deleted:
    """End the session of a refresh token."""
    await call.services.logins.log_out(call.body.refresh_token)
    return answers.Deleted()

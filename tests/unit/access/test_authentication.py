"""From a credential to its caller: what is known, what is looked up, what is refused and why."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vectis.access.authentication import LOCAL, STALE_MAX_S, Authenticator, RefusedCredential
from vectis.access.keyring import Keyring
from vectis.access.keys import make_key
from vectis.access.logins import Logins
from vectis.access.service import AccessService, KeyWish
from vectis.adapters.argon2.passwords import Argon2Passwords
from vectis.adapters.jwt.tokens import JwtTokens
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.secrets.folder import FolderSecrets
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.access import ANYONE, SYSTEM, Caller, Permission, authorize
from vectis.domain.errors import InvalidCredentials, TokenExpired, Unauthenticated
from vectis.domain.ports.access import FoundCredentials, PrincipalChange
from vectis.domain.principals import Grant, Principal, PrincipalKind, PrincipalStatus

BY = authorize(SYSTEM, Permission.MANAGE_USERS)
PASSWORD = "correct horse battery"


class Counting:
    """The store, with the look-ups counted; `ask` is what the process under test sees of it."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.lookups: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def find_credentials(self, key_ids: list[str], session_ids: list[str]) -> FoundCredentials:
        self.lookups.append(len(key_ids) + len(session_ids))
        return await self._store.find_credentials(key_ids, session_ids)


class World:
    """One process: its authenticator and services over a store in memory."""

    def __init__(self, store: SqlStore, folder: Path) -> None:
        self.clock = ManualClock(datetime.now(UTC))  # the library that reads tokens has its own
        self.store = Counting(store)
        self.refused: list[RefusedCredential] = []
        secrets, tokens, passwords = FolderSecrets(folder / "access.secret"), JwtTokens(), Argon2Passwords()
        keyring, life = Keyring(store, secrets), timedelta(minutes=30)
        self.door = Authenticator(
            self.store, keyring, tokens, self.clock, local_token=lambda: "vtl_local", on_refused=self.refused.append
        )  # type: ignore[arg-type]
        self.access = AccessService(
            store, keyring, secrets, passwords, self.clock,
            key_environment="test", token_life=life, on_change=self.door.look,
        )  # fmt: skip
        self.logins = Logins(
            store, keyring, tokens, passwords, self.clock,
            token_life=life, session_life=timedelta(days=30), on_change=self.door.look,
        )  # fmt: skip

    async def ask(self, credential: str, address: str = "127.0.0.1") -> Caller:
        caller = self.door.authenticate(credential, address)
        return caller if isinstance(caller, Caller) else await caller

    async def refusal(self, credential: str, address: str = "127.0.0.1") -> str:
        with pytest.raises(InvalidCredentials):
            await self.ask(credential, address)
        return self.refused[-1].reason


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await open_store("sqlite:///:memory:")
    yield World(store, tmp_path)
    await store.close()


async def test_before_the_beginning_anyone_may_call(world: World) -> None:
    await world.door.look()
    assert world.door.authenticate("", "") is ANYONE


async def test_a_known_key_is_answered_at_once_and_without_the_store(world: World) -> None:
    key = await world.access.begin(BY)
    first = await world.ask(key)
    assert (first.name, first.tenant) == ("admin", "")
    assert world.door.authenticate(key, "127.0.0.1") is first
    assert world.store.lookups == [1]


async def test_missing_malformed_and_unknown(world: World) -> None:
    await world.access.begin(BY)
    with pytest.raises(Unauthenticated, match=r"^API key required$"):
        await world.ask("")
    assert await world.refusal("nonsense") == "malformed"
    assert await world.refusal("x" * 5000) == "malformed"
    assert world.store.lookups == []
    assert await world.refusal(make_key("test")[1]) == "unknown"
    assert await world.refusal("vtl_guess") == "unknown"
    assert await world.ask("vtl_local") is LOCAL


async def test_a_flood_of_wrong_keys_is_looked_up_in_few_reads_and_a_repeated_one_in_none(world: World) -> None:
    key = await world.access.begin(BY)
    wrong = [make_key("test")[1] for _ in range(1000)]
    answers = await asyncio.gather(*(world.ask(each) for each in [*wrong, key]), return_exceptions=True)
    assert sum(isinstance(each, InvalidCredentials) for each in answers) == 1000
    assert isinstance(answers[-1], Caller)
    assert len(world.store.lookups) <= 4
    before = len(world.store.lookups)
    assert await world.refusal(wrong[0]) == "unknown"
    assert len(world.store.lookups) == before


async def test_what_takes_a_key_away_counts_at_once_here(world: World) -> None:
    await world.access.begin(BY)
    made = await world.access.create_key(BY, KeyWish("app", role="viewer"))
    assert (await world.ask(made.text)).name == "app"
    await world.access.change_principal(BY, "app", PrincipalChange(status=PrincipalStatus.DISABLED))
    assert await world.refusal(made.text) == "disabled"
    await world.access.change_principal(BY, "app", PrincipalChange(status=PrincipalStatus.ACTIVE))
    assert (await world.ask(made.text)).name == "app"
    await world.access.revoke_key(BY, made.key.id)
    assert await world.refusal(made.text) == "revoked"


async def test_a_key_ends_when_it_says_so(world: World) -> None:
    await world.access.begin(BY)
    ends = world.clock.now() + timedelta(minutes=1)
    made = await world.access.create_key(BY, KeyWish("app", role="viewer", expires_at=ends))
    await world.ask(made.text)
    world.clock.advance(59.9)
    await world.door.look()
    await world.ask(made.text)
    world.clock.advance(0.1)
    assert await world.refusal(made.text) == "expired"


async def test_an_address_outside_the_ranges_is_refused(world: World) -> None:
    await world.access.begin(BY)
    made = await world.access.create_key(BY, KeyWish("app", role="viewer", addresses=("10.0.0.0/8", "::1/128")))
    for address in ("10.1.2.3", "::1"):
        assert (await world.ask(made.text, address)).name == "app"
    for address in ("127.0.0.1", "", "no address"):
        assert await world.refusal(made.text, address) == "address"


async def test_what_is_known_is_asked_for_again_when_nothing_was_seen_for_long(world: World) -> None:
    key = await world.access.begin(BY)
    await world.ask(key)
    world.clock.advance(STALE_MAX_S)
    await world.ask(key)
    assert world.store.lookups == [1, 1]


async def test_an_access_token_until_its_time_is_over(world: World) -> None:
    await person(world)
    pair = await world.logins.log_in("maria", PASSWORD)
    caller = await world.ask(pair.access_token)
    assert (caller.name, caller.credential) == ("maria", pair.session.id)
    world.clock.advance(1800)
    with pytest.raises(TokenExpired):
        await world.ask(pair.access_token)


async def test_signing_keys_rotate_and_old_tokens_live_their_time_out(world: World) -> None:
    await person(world)
    before = await world.logins.log_in("maria", PASSWORD)
    kid = await world.access.rotate_signing_key(BY)
    after = await world.logins.log_in("maria", PASSWORD)
    for pair in (before, after):
        assert (await world.ask(pair.access_token)).name == "maria"
    state = await world.store.access_state()  # type: ignore[operator]
    assert state.signing_keys[0].kid == kid


async def test_the_emergency_leaves_no_old_credential(world: World) -> None:
    key = await world.access.begin(BY)
    await person(world, begin=False)
    pair = await world.logins.log_in("maria", PASSWORD)
    rotated = await world.access.rotate_all(BY)
    assert {each.principal.name for each in rotated} == {"admin", "maria"}
    assert await world.refusal(key) == "unknown"
    assert await world.refusal(pair.access_token) in ("unknown", "revoked")
    with pytest.raises(InvalidCredentials):
        await world.logins.refresh(pair.refresh_token)
    for each in rotated:
        assert (await world.ask(each.text)).name == each.principal.name


async def test_keys_that_another_process_made_under_another_secret_work_before_the_next_look(
    world: World, tmp_path: Path
) -> None:
    key = await world.access.begin(BY)
    other = World(world.store._store, tmp_path)
    await other.door.look()
    (rotated,) = await other.access.rotate_all(BY)
    assert await world.refusal(key) == "revoked"
    assert (await world.ask(rotated.text)).name == "admin"
    assert await world.refusal(key) == "unknown"


async def person(world: World, *, begin: bool = True) -> None:
    if begin:
        await world.access.begin(BY)
    maria = Principal("maria", PrincipalKind.PERSON, world.clock.now(), grants=(Grant("viewer"),))
    await world.access.create_principal(BY, maria)
    await world.access.set_password(BY, "maria", PASSWORD)

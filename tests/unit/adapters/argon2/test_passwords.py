"""Passwords: what fits, and that nobody's is checked too."""

import pytest

from vectis.adapters.argon2.passwords import WAITING_MAX, Argon2Passwords
from vectis.domain.errors import Unavailable


async def test_a_password_fits_its_hash_alone() -> None:
    passwords = Argon2Passwords()
    kept = await passwords.hash("one")
    assert kept.startswith("$argon2id$")
    assert await passwords.matches(kept, "one")
    assert not await passwords.matches(kept, "two")
    assert not await passwords.matches(None, "")
    assert not await passwords.matches("no hash", "one")


async def test_no_more_wait_than_can_be_served() -> None:
    passwords = Argon2Passwords()
    for _ in range(2):
        await passwords.take_turn()
    passwords._waiting = WAITING_MAX  # as if so many waited
    with pytest.raises(Unavailable):
        await passwords.hash("one")

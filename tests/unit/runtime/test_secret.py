"""A secret shows nowhere by accident."""

import msgspec
import pytest

from vectis.runtime.secret import Secret, SecretUrl
from vectis.runtime.settings import EngineSettings, Settings, StoreSettings

HIDDEN = "hunter2"


def test_a_secret_hides_itself() -> None:
    settings = Settings(
        engine=EngineSettings(api_key=Secret(HIDDEN)),
        store=StoreSettings(url=SecretUrl(f"postgresql://u:{HIDDEN}@h/d")),
    )
    assert HIDDEN not in f"{settings!r} {settings} {settings.engine.api_key} {settings.store.url}"
    with pytest.raises(TypeError):
        msgspec.json.encode(settings)
    assert settings.engine.api_key.reveal() == HIDDEN


def test_equal_by_text_and_false_when_empty() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a")
    assert not Secret()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:pw@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql://user:p@:w/d@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user@host/db?password=pw&sslmode=require", "postgresql://user@host/db?password=***&sslmode=require"),
        ("redis://:pw@host/0", "redis://:***@host/0"),
        ("postgresql://user@/db?host=/run/pg", "postgresql://user@/db?host=/run/pg"),
        ("sqlite:///data/x.sqlite", "sqlite:///data/x.sqlite"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_url_shows_without_its_password(url: str, shown: str) -> None:
    assert str(SecretUrl(url)) == shown

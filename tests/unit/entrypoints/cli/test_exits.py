"""Exit codes and the way errors are shown."""

import json

import pytest
import typer

from vectis.domain.errors import CollectionNotFound, EngineUnavailable, InvalidSetting, Unavailable, VectisError
from vectis.entrypoints.cli.exits import EXIT_CODES, FAILED, HINTS, UNAVAILABLE, USAGE, exit_code, reporting, shown
from vectis.entrypoints.cli.server.api import errors_by_code


def test_every_error_of_the_domain_has_an_exit_code() -> None:
    assert set(EXIT_CODES) == set(errors_by_code())


def test_hints_belong_to_errors() -> None:
    assert set(HINTS) <= set(EXIT_CODES)


def test_every_unavailable_error_asks_to_try_again() -> None:
    for code, kind in errors_by_code().items():
        assert (EXIT_CODES[code] == UNAVAILABLE) == issubclass(kind, Unavailable)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CollectionNotFound("no"), FAILED),
        (InvalidSetting("no"), USAGE),
        (EngineUnavailable("no"), UNAVAILABLE),
        (VectisError("no", code="of_a_later_version"), FAILED),
    ],
)
def test_exit_code(error: VectisError, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_is_shown_with_its_code_and_what_helps() -> None:
    text = shown(CollectionNotFound("no collection or alias is called `x`"), as_json=False)
    assert text.startswith("error [collection_not_found]: no collection or alias is called `x`\n")
    assert "vectis collections list" in text


def test_an_error_as_json_holds_code_message_and_fields() -> None:
    told = json.loads(shown(EngineUnavailable("down", retry_after_s=2.0), as_json=True))["error"]
    assert (told["code"], told["message"], told["fields"]) == ("engine_unavailable", "down", {"retry_after_s": 2.0})


def test_reporting_leaves_with_the_code_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left, reporting(as_json=False):
        raise InvalidSetting("wrong")
    assert left.value.exit_code == USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error [invalid_setting]: wrong")

"""Settings from every source, with their origins; everything that is wrong, at once."""

import sys
from pathlib import Path

import pytest

from vectis.domain.errors import InvalidSetting
from vectis.runtime.configuration import references
from vectis.runtime.configuration.listing import differences, listing
from vectis.runtime.configuration.loading import load, read, secret_keys
from vectis.runtime.configuration.sources import TEMPLATES
from vectis.runtime.settings import ALIASES, Settings


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_each_later_source_weighs_more(tmp_path: Path) -> None:
    file = write(
        tmp_path / "some.toml", "[server]\nworkers = 2\nport = 1\n[search]\nlimit_max = 7\n[log]\nlevel = 'error'"
    )
    environment = {
        "CONFIG_TEMPLATE": "production",
        "LOG_LEVEL": "WARNING",
        "QDRANT_URL": "http://q",
        "VECTIS_ENGINE__URL": "http://v",
        "DATABASE_URL": "postgresql://h/d",
        "VECTIS_SERVER__PORT": "2",
    }
    found = load(file, {"server.port": "3"}, environment)
    chosen = {line.key: (line.value, line.origin) for line in listing(found) if line.origin != "default"}
    assert chosen["jobs.concurrency"] == (2, "template production")
    assert chosen["server.workers"] == (2, f"file {file}")
    assert chosen["search.limit_max"] == (7, f"file {file}")
    assert chosen["log.level"] == ("warning", "environment LOG_LEVEL")
    assert chosen["engine.url"] == ("http://v", "environment VECTIS_ENGINE__URL")
    assert chosen["server.port"] == (3, "command line")
    assert "embedder.kind" not in chosen


def test_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    toml = write(tmp_path / "a.toml", "[engine]\nurl = 'http://q'\ngrpc = false\n[search]\ntimeout_s = 2")
    yaml = write(tmp_path / "a.yaml", "engine:\n  url: http://q\n  grpc: false\nsearch:\n  timeout_s: 2\n")
    assert load(toml, {}, {}).settings == load(yaml, {}, {}).settings


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = write(
        tmp_path / "x.yaml", "server:\n  port: many\n  colour: red\ngarden: {a: 1}\nlog:\n  level: loud\nsearch: 3\n"
    )
    found = read(file, {}, {"VECTIS_SERVER__WORKERS": "900", "VECTIS_JOBS__NAMES": "x", "CONFIG_TEMPLATE": "none-such"})
    wrong = {each.key: str(each) for each in found.objections}
    assert set(wrong) == {
        "CONFIG_TEMPLATE", "server.port", "server.colour", "garden.a", "log.level", "search", "server.workers",
        "VECTIS_JOBS__NAMES",
    }  # fmt: skip
    assert str(file) in wrong["server.port"]
    assert "VECTIS_SERVER__WORKERS" in wrong["server.workers"]
    assert "'warning'" in wrong["log.level"]
    with pytest.raises(InvalidSetting) as refused:
        found.checked()
    assert all(key in refused.value.message for key in wrong)


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", "[server"), ("a.yaml", "a: [1"), ("a.yaml", "- 1"), ("a.yaml", "!!python/name:os.system")]
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (wrong,) = read(write(tmp_path / name, text), {}, {}).objections
    assert name in wrong.key
    assert "not valid" in wrong.detail


def test_the_data_folder_has_a_configuration_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "config.yaml", "search:\n  limit_max: 5\n")
    assert load(None, {"server.data_dir": str(tmp_path)}, {}).settings.search.limit_max == 5
    assert load(None, {}, {"VECTIS_SERVER__DATA_DIR": str(tmp_path)}).settings.search.limit_max == 5
    write(tmp_path / "config.yaml", f"server:\n  data_dir: {tmp_path}\n")
    with pytest.raises(InvalidSetting, match="inside the data folder"):
        load(None, {"server.data_dir": str(tmp_path)}, {})
    write(tmp_path / "config.toml", "")
    with pytest.raises(InvalidSetting, match="keep one of them"):
        load(None, {"server.data_dir": str(tmp_path)}, {})


def test_values_that_stand_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "key", "of-a-file\n")
    file = write(tmp_path / "c.toml", f"[engine]\nurl = {{ file = '{tmp_path}/key' }}\n")
    environment = {
        "QDRANT_API_KEY_FILE": f"{tmp_path}/key",
        "VECTIS_EMBEDDER__API_KEY_COMMAND": f"{sys.executable} -c \"print('of a command')\"",
        "LOG_LEVEL_FILE": str(write(tmp_path / "level", "debug")),
    }
    found = load(file, {}, environment)
    assert found.settings.engine.url == "of-a-file"
    assert found.settings.engine.api_key.reveal() == "of-a-file"
    assert found.settings.embedder.api_key.reveal() == "of a command"
    assert found.settings.log.level == "debug"
    assert found.origins["engine.api_key"] == "environment QDRANT_API_KEY_FILE"
    assert "of a command" not in repr(found)


def test_what_stands_elsewhere_and_cannot_be_had(tmp_path: Path) -> None:
    program = f"{sys.executable} -c"
    file = write(
        tmp_path / "c.toml",
        "[engine]\nurl = { file = 'a', command = 'b' }\nkind = { shell = 'x' }\n[store]\nurl = { command = 'no-such-program' }",
    )
    environment = {
        "QDRANT_API_KEY_FILE": str(tmp_path / "absent"),
        "OPENAI_API_KEY_COMMAND": f"{program} \"import sys; print('hunter2', file=sys.stderr); sys.exit('hunter2')\"",
    }
    wrong = {each.key: each.detail for each in read(file, {}, environment).objections}
    assert "absent" in wrong["engine.api_key"]
    assert "status 1" in wrong["embedder.api_key"]
    assert "either file or command" in wrong["engine.url"]
    assert "shell" in wrong["engine.kind"]
    assert "no-such-program" in wrong["store.url"]
    assert "hunter2" not in str(wrong)


def test_a_command_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "COMMAND_S", 0.2)
    command = f'{sys.executable} -c "import threading; threading.Event().wait()"'
    (wrong,) = read(None, {}, {"OPENAI_BASE_URL_COMMAND": command}).objections
    assert wrong.key == "embedder.url"
    assert "did not end within 0.2 s" in wrong.detail


def test_a_value_given_twice_is_refused() -> None:
    (wrong,) = read(None, {}, {"QDRANT_API_KEY": "a", "QDRANT_API_KEY_FILE": "b"}).objections
    assert "give one of them" in wrong.detail
    (wrong,) = read(None, {}, {"VECTIS_ENGINE__API_KEY": "a", "VECTIS_ENGINE__API_KEY_FILE": "b"}).objections
    assert "give one of them" in wrong.detail


def test_the_keys_that_hold_secrets() -> None:
    environment = {
        "OPENAI_API_KEY": "a",
        "VECTIS_ENGINE__API_KEY": "b",
        "DATABASE_URL": "c",
        "LOG_LEVEL": "info",
        "PATH": "d",
    }
    assert sorted(secret_keys(environment)) == ["DATABASE_URL", "OPENAI_API_KEY", "VECTIS_ENGINE__API_KEY"]
    assert secret_keys({"OPENAI_API_KEY_FILE": "x"}) == []


def test_production_requires_what_a_team_needs() -> None:
    wrong = {each.key for each in read(None, {}, {"CONFIG_TEMPLATE": "production"}).objections}
    assert wrong == {"store.url", "engine.url"}
    wrong = {
        each.key
        for each in read(None, {}, {"QDRANT_PRODUCTION_MODE": "true", "VECTIS_EMBEDDER__KIND": "openai"}).objections
    }
    assert wrong == {"store.url", "engine.url", "embedder.api_key"}
    needed = {"DATABASE_URL": "postgresql://h/d", "QDRANT_URL": "http://q"}
    assert load(None, {}, {"CONFIG_TEMPLATE": "production", **needed}).settings.server.workers == 4


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_holds_real_settings(name: str) -> None:
    needed = {"DATABASE_URL": "postgresql://h/d", "QDRANT_URL": "http://q"}
    assert not load(None, {}, {"CONFIG_TEMPLATE": name, **needed}).warnings


def test_the_old_name_of_a_template_means_the_same_and_warns() -> None:
    old, now = load(None, {}, {"CONFIG_TEMPLATE": "minimal-cost"}), load(None, {}, {"CONFIG_TEMPLATE": "personal-use"})
    assert old.settings == now.settings
    assert old.warnings == ("the template minimal-cost is called personal-use now",)


def test_differences_hide_secrets() -> None:
    before = load(None, {}, {"OPENAI_API_KEY": "hunter2"}).settings
    after = load(None, {}, {"OPENAI_API_KEY": "hunter3", "API_PORT": "9"}).settings
    shown = differences(before, after)
    assert [(each.key, each.after) for each in shown] == [("server.port", 9), ("embedder.api_key", "***")]


def test_every_alias_leads_to_a_setting() -> None:
    for owner, field in ALIASES.values():
        assert field in getattr(Settings(), owner).__struct_fields__

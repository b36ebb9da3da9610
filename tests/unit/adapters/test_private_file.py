"""Secrets in private files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vectis.adapters.secrets.private_file import kept_secret
from vectis.domain.errors import InvalidSetting


def test_all_who_come_first_get_one_secret_that_stays_private(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "audit.key"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: kept_secret(file, setting="audit.key"), range(64)))
    assert len(found) == 1
    assert len(found.pop()) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["audit.key"]


def test_where_it_cannot_be_kept_the_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InvalidSetting, match=r"audit\.key"):
        kept_secret(tmp_path / "file" / "audit.key", setting="audit.key")

"""What wiring says when an optional adapter is not installed."""

import sys

import pytest

from vectis.domain.errors import InvalidSetting
from vectis.runtime.configuration.loading import Configuration, load
from vectis.runtime.wiring.api import open_services


def settings(folder: object) -> Configuration:
    return load(None, {"engine.url": "http://127.0.0.1:1", "server.data_dir": str(folder)}, {})


async def test_a_missing_extra_is_named_with_the_command(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "vectis.adapters.qdrant.engine", raising=False)
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(InvalidSetting, match=r"pip install 'vectis\[qdrant\]'"):
        async with open_services(settings(tmp_path), process="api-1"):
            pass

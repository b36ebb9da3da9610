"""What `vectis rollout start --source` refuses before it reads anything."""

from typing import Any

import pytest
import typer

from vectis.entrypoints.cli.filling.rollout_source import read_sources


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"alias": "docs", "change": "reembed"}, "FILE says reembed"),
        ({"alias": "docs", "build": {}}, "neither build nor variants"),
        ({"alias": "docs", "variants": [{"collection": "docs_2"}]}, "neither build nor variants"),
        ({}, "names no alias"),
    ],
)
def test_a_spec_that_no_source_can_fill_is_refused(spec: dict[str, Any], why: str) -> None:
    with pytest.raises(typer.BadParameter, match=why):
        read_sources(spec, ["absent"])

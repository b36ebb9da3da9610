"""The OpenAPI document is a committed snapshot: a change of the wire shows in review. Renew it with `make docs`."""

import json
from pathlib import Path

from vectis.entrypoints.rest.openapi import document
from vectis.entrypoints.rest.routes import OPERATIONS

SNAPSHOT = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


def test_the_snapshot_is_what_the_code_says() -> None:
    assert json.loads(SNAPSHOT.read_text()) == json.loads(document()), (
        "the wire has changed: run `make docs`, and review it"
    )


def test_every_reference_resolves() -> None:
    content = json.loads(document())
    schemas = content["components"]["schemas"]
    wanted = {part.split('"')[0] for part in document().decode().split("#/components/schemas/")[1:]}
    assert wanted <= set(schemas)


def test_operations_have_names_of_their_own() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))

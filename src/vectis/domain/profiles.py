"""Profiles: the named recipes by which a collection is made, filled and searched. Versioned and kept by the catalog."""

from vectis.domain.queries import Dbsf, Fusion
from vectis.domain.schema import CollectionSchema
from vectis.domain.shapes import Shape

DENSE = "dense"
SPARSE = "sparse"


class EmbeddingProfile(Shape, frozen=True):
    """What makes two dense vectors comparable: equal profiles, comparable vectors.

    `revision` is the checksum or version of the weights; `max_tokens` is where the model truncates, special tokens counted.
    """

    model: str
    revision: str
    dimension: int
    max_tokens: int
    query_prefix: str = ""
    document_prefix: str = ""


class Chunking(Shape, frozen=True):
    """How documents are cut: `target` and `overlap` in tokens of the embedder."""

    target: int = 200
    overlap: int = 20


class SearchSettings(Shape, frozen=True):
    """How a collection is searched when the query does not say otherwise. Prefetch limits count chunks.

    `adaptive_ef`: `hnsw_ef` grows with the collection beyond 50,000 points, so that the recall stays (embedded engine).
    """

    limit: int = 10
    prefetch_dense: int = 100
    prefetch_sparse: int = 50
    hnsw_ef: int = 128
    adaptive_ef: bool = True
    rescore: bool = True
    oversampling: float = 2.0
    fusion: Fusion = Dbsf()


class CollectionProfile(Shape, frozen=True):
    """A named recipe. `embedding` None: the collection holds the caller's own vectors and takes no documents."""

    name: str
    schema: CollectionSchema
    embedding: EmbeddingProfile | None = None
    chunking: Chunking = Chunking()
    search: SearchSettings = SearchSettings()

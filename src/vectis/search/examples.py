"""From examples to what is asked for: a vector that is near the positive ones and away from the negative ones."""

from collections.abc import Sequence
from math import hypot

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from vectis.domain.collections import Collection
from vectis.domain.documents import DOCUMENT_ID
from vectis.domain.errors import DocumentNotFound, EmptyQuery, InvalidInput, LimitExceeded, PointNotFound, Unsupported
from vectis.domain.filters import Condition, Filter, any_of
from vectis.domain.points import Dense, PointId, Record, SparseVector, canonical_id, dense
from vectis.domain.ports.engine import PointReader
from vectis.domain.profiles import DENSE
from vectis.domain.schema import Distance, check_vectors
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.plan import only_vector
from vectis.search.requests import Example, SimilarSearch

EXAMPLES_MAX = 64
TEXT_CHARS_MAX = 100_000
CHUNKS_READ_MAX = 256
"""Chunks of a document that its vector is the mean of; those of a longer one say no more about what it is like."""


class Examples:
    """Reads and embeds examples."""

    def __init__(self, reader: PointReader, embeddings: QueryEmbeddings) -> None:
        self._reader = reader
        self._embeddings = embeddings

    async def vector(self, request: SimilarSearch, collection: Collection) -> tuple[str, Dense]:
        """The name of the dense vector to ask and the vector to ask with: p, or 2 p - n where there are negative examples.

        p and n are the means of the examples, of unit length each where the distance is the cosine; this is what Qdrant calls
        `average_vector`. Raises DocumentNotFound, PointNotFound, EmptyQuery, InvalidInput, InvalidVector, WrongDimension,
        LimitExceeded, Unsupported, EmbedderUnavailable.
        """
        if not request.positive:
            raise InvalidInput("positive: give at least one example", field="positive")
        if len(request.positive) + len(request.negative) > EXAMPLES_MAX:
            raise LimitExceeded(f"positive, negative: at most {EXAMPLES_MAX} together", maximum=EXAMPLES_MAX)
        using = request.using or (
            DENSE if collection.profile.embedding else only_vector(collection.profile.schema, sparse=False)
        )
        liked = await self._mean(request.positive, "positive", using, collection)
        if request.negative:
            liked = 2 * liked - await self._mean(request.negative, "negative", using, collection)
        params = collection.profile.schema.dense.get(using)
        if (params is None or params.distance is Distance.COSINE) and not hypot(*liked):
            raise InvalidInput(
                "positive, negative: the examples have no direction, alone or together; give others", field="positive"
            )
        return using, dense(liked.astype(np.float32).tobytes())

    async def _mean(
        self, examples: Sequence[Example], field: str, using: str, collection: Collection
    ) -> NDArray[np.float64]:
        vectors: list[NDArray[np.float64]] = []
        params = collection.profile.schema.dense.get(using)
        for number, example in enumerate(examples):
            vector = await self._vector_of(example, f"{field}[{number}]", using, collection)
            if params is None or params.distance is Distance.COSINE:
                vector = vector / (hypot(*vector) or 1.0)
            vectors.append(vector)
        return np.mean(vectors, axis=0)

    async def _vector_of(self, example: Example, at: str, using: str, collection: Collection) -> NDArray[np.float64]:
        embedding = collection.profile.embedding
        if (example.id is not None) + (example.text is not None) + (example.vector is not None) != 1:
            raise InvalidInput(f"{at}: give exactly one of id, text and vector", field=at)
        if example.vector is not None:
            check_vectors(collection.profile.schema, {using: example.vector}, at=at)
            return np.array(example.vector, dtype=np.float64)
        if example.text is not None:
            if not example.text.strip():
                raise EmptyQuery(f"{at}.text: nothing to search for; give at least one word", field=f"{at}.text")
            if len(example.text) > TEXT_CHARS_MAX:
                raise LimitExceeded(
                    f"{at}.text: {len(example.text)} characters, the maximum is {TEXT_CHARS_MAX}",
                    field=f"{at}.text",
                    maximum=TEXT_CHARS_MAX,
                )
            if embedding is None:
                raise Unsupported(
                    f"{at}.text: collection {collection.name} holds your own vectors, so give a vector or the id of a point",
                    collection=collection.name,
                )
            return np.array(await self._embeddings.vector(embedding, example.text), dtype=np.float64)
        id = example.id
        assert id is not None, "exactly one is given"
        records = await self._records(collection, id, using, at)
        found = [v for each in records if (v := (each.vectors or {}).get(using)) and not isinstance(v, SparseVector)]
        if not found:
            kind = DocumentNotFound if embedding else PointNotFound
            raise kind(f"{at}: {id!r} is not there, or has no vector {using!r}", field=at)
        return np.mean([np.array(each, dtype=np.float64) for each in found], axis=0)

    async def _records(self, collection: Collection, id: PointId, using: str, at: str) -> Sequence[Record]:
        if collection.profile.embedding is None:
            return await self._reader.retrieve(
                collection.name, [canonical_id(id, at=f"{at}.id")], with_payload=False, with_vectors=[using]
            )
        page = await self._reader.scroll(
            collection.name,
            limit=CHUNKS_READ_MAX,
            filter=Filter(must=[any_of(DOCUMENT_ID, [str(id)])]),
            with_payload=False,
            with_vectors=[using],
        )
        return page.points


def without_examples(request: SimilarSearch, collection: Collection) -> SimilarSearch:
    """The same with a filter that also leaves the examples out."""
    ids: list[PointId] = [each.id for each in (*request.positive, *request.negative) if each.id is not None]
    if not ids:
        return request
    examples = any_of(DOCUMENT_ID, list(map(str, ids))) if collection.profile.embedding else Condition(has_id=ids)
    given = request.filter
    must = [Condition(must=given.must, should=given.should, must_not=given.must_not)] if given is not None else None
    return replace(request, filter=Filter(must=must, must_not=[examples]))

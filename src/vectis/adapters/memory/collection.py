"""The points of one collection in memory: what is stored, which match, which are nearest. Names and aliases are engine.py's."""

from copy import deepcopy

import numpy as np

from vectis.adapters.memory import paths, scoring
from vectis.adapters.memory.filtering import matches
from vectis.domain.errors import InvalidFilter, InvalidInput, InvalidVector
from vectis.domain.filters import Filter
from vectis.domain.points import Dense, Payload, Point, PointId, SparseVector, Vector, Vectors
from vectis.domain.queries import Nearest, Selector
from vectis.domain.schema import CollectionSchema, Distance, PayloadIndexKind, check_vectors


class PointSet:
    """Points under one schema. Copies what it takes and what it gives; not for use from several threads."""

    def __init__(self, schema: CollectionSchema) -> None:
        self.schema = schema
        self.payload_indexes: dict[str, PayloadIndexKind] = dict(schema.payload_indexes)
        self._points: dict[PointId, Point] = {}
        self._matrices: dict[str, tuple[list[PointId], scoring.Matrix]] = {}

    def __len__(self) -> int:
        return len(self._points)

    def put(self, point: Point) -> None:
        """Insert or replace; InvalidVector or WrongDimension when the vectors do not fit the schema."""
        check_vectors(self.schema, point.vectors, at="vectors")
        vectors = {name: self._stored(name, vector) for name, vector in point.vectors.items()}
        self._points[point.id] = Point(point.id, vectors, deepcopy(point.payload))
        self._matrices.clear()

    def remove(self, point_id: PointId) -> None:
        """Remove it if it is there."""
        if self._points.pop(point_id, None) is not None:
            self._matrices.clear()

    def __contains__(self, point_id: object) -> bool:
        return point_id in self._points

    def matching(self, filter: Filter | None) -> list[PointId]:
        """Ids of the points that match, in id order. InvalidFilter for a key that is no path."""
        try:
            found = [p.id for p in self._points.values() if filter is None or matches(filter, p.payload, p.id)]
        except ValueError as e:
            raise InvalidFilter(f"filter: {e}", at="filter") from e
        return sorted(found, key=scoring.id_order)

    def nearest(self, query: Nearest, filter: Filter | None) -> scoring.Ranked:
        """The `query.limit` best matching points that have the vector, better than the threshold."""
        check_vectors(self.schema, {query.using: query.vector}, at="query")
        allowed = None if filter is None else set(self.matching(filter))
        if isinstance(query.vector, SparseVector):
            lower_is_better, scored = False, self._sparse(query.using, query.vector)
        else:
            distance = self.schema.dense[query.using].distance
            lower_is_better, scored = distance in scoring.LOWER_IS_BETTER, self._dense(query.using, query.vector)
        ranked = scoring.best_first(
            [entry for entry in scored if allowed is None or entry[0] in allowed], lower_is_better=lower_is_better
        )
        return self.better_than(query.score_threshold, query.using, ranked)[: query.limit]

    def better_than(self, threshold: float | None, using: str, ranked: scoring.Ranked) -> scoring.Ranked:
        """Those strictly better than `threshold` under the distance of the vector `using`."""
        params = self.schema.dense.get(using)
        if threshold is None:
            return ranked
        if params is not None and params.distance in scoring.LOWER_IS_BETTER:
            return [entry for entry in ranked if entry[1] < threshold]
        return [entry for entry in ranked if entry[1] > threshold]

    def payload(self, point_id: PointId, selector: Selector) -> Payload | None:
        """The payload, or its selected part; None for False."""
        stored = self._points[point_id].payload
        if isinstance(selector, bool):
            return deepcopy(stored) if selector else None
        try:
            return deepcopy(paths.project(stored, paths.projection(tuple(selector))))
        except ValueError as e:
            raise InvalidInput(f"with_payload: {e}") from e

    def vectors(self, point_id: PointId, selector: Selector) -> Vectors | None:
        """The named vectors that the point has; None for False; InvalidVector for a name the schema lacks."""
        stored = self._points[point_id].vectors
        if isinstance(selector, bool):
            return {name: _copy(vector) for name, vector in stored.items()} if selector else None
        for name in selector:
            if name not in self.schema.dense and name not in self.schema.sparse:
                raise InvalidVector(f"with_vectors: the collection has no vector {name!r}", vector=name)
        return {name: _copy(stored[name]) for name in selector if name in stored}

    def _stored(self, name: str, vector: Vector) -> Vector:
        if isinstance(vector, SparseVector):
            order = sorted(range(len(vector.indices)), key=vector.indices.__getitem__)
            return SparseVector([vector.indices[i] for i in order], [vector.values[i] for i in order])
        return scoring.normalised(vector) if self.schema.dense[name].distance is Distance.COSINE else vector[:]

    def _dense(self, name: str, query: Dense) -> scoring.Ranked:
        if name not in self._matrices:
            ids = [p.id for p in self._points.values() if name in p.vectors]
            rows = b"".join(bytes(memoryview(self._dense_of(i, name))) for i in ids)
            matrix = np.frombuffer(rows, np.float32).reshape(len(ids), self.schema.dense[name].size)
            self._matrices[name] = ids, matrix
        ids, matrix = self._matrices[name]
        return list(zip(ids, scoring.dense_scores(matrix, query, self.schema.dense[name].distance), strict=True))

    def _dense_of(self, point_id: PointId, name: str) -> Dense:
        vector = self._points[point_id].vectors[name]
        assert not isinstance(vector, SparseVector), name
        return vector

    def _sparse(self, name: str, query: SparseVector) -> scoring.Ranked:
        documents = {p.id: v for p in self._points.values() if isinstance(v := p.vectors.get(name), SparseVector)}
        weights = dict(zip(query.indices, query.values, strict=True))
        if self.schema.sparse[name].idf:
            idf = scoring.idf_weights(list(documents.values()), query.indices)
            weights = {index: weight * idf[index] for index, weight in weights.items()}
        scores = {point_id: scoring.sparse_score(document, weights) for point_id, document in documents.items()}
        return [(point_id, score) for point_id, score in scores.items() if score is not None]


def _copy(vector: Vector) -> Vector:
    return SparseVector(vector.indices[:], vector.values[:]) if isinstance(vector, SparseVector) else vector[:]

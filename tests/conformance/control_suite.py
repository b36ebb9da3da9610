"""What the control store's tests are made of."""

from datetime import UTC, datetime

from vectis.domain.collections import Collection
from vectis.domain.documents import Document
from vectis.domain.jobs import Job, JobState
from vectis.domain.profiles import CollectionProfile
from vectis.domain.schema import CollectionSchema, DenseParams

NOW = datetime(2026, 3, 29, 1, 30, 15, 123456, tzinfo=UTC)


def collection(name: str) -> Collection:
    schema = CollectionSchema(dense={"dense": DenseParams(size=4)})
    return Collection(name=name, profile=CollectionProfile(name="own", schema=schema), created_at=NOW)


def job(job_id: str, *, kind: str = "index") -> Job:
    return Job(id=job_id, kind=kind, state=JobState.PENDING, payload={"collection": "c", "ids": ["a"]}, created_at=NOW)


def document(document_id: str, text: str = "text", *, source: str = "") -> Document:
    return Document(id=document_id, text=text, title="Title", source=source, payload={"level": 1, "tags": ["x"]})

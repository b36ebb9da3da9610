"""A collection as the control store keeps it. Its points live in an engine."""

from datetime import datetime

import msgspec

from vectis.domain.profiles import CollectionProfile, SearchSettings


class DocumentLengths(msgspec.Struct, frozen=True):
    """As Bm25Fit, of whole documents."""

    avg_len: float
    tokens: int = 0
    documents: int = 0


class Bm25Fit(msgspec.Struct, frozen=True):
    """The corpus statistics behind the stored BM25 vectors.

    `avg_len` is the average chunk length, in tokens after stop words, that the stored vectors were made with; `tokens` and
    `chunks` are what has been seen since, so that drift shows. `documents` is None while no document has a vector as a whole.
    """

    avg_len: float
    tokens: int = 0
    chunks: int = 0
    documents: DocumentLengths | None = None


class Deletion(msgspec.Struct, frozen=True):
    """A collection was deleted at a time; the job `job_id` removes it for good when it is due."""

    at: datetime
    due_at: datetime
    job_id: str


class Collection(msgspec.Struct, frozen=True):
    """A named physical set of points with one schema. One with a `deletion` is hidden: no caller sees it or reads it."""

    name: str
    profile: CollectionProfile
    created_at: datetime
    bm25: Bm25Fit | None = None
    deletion: Deletion | None = None


class SettingsVersion(msgspec.Struct, frozen=True):
    """Search settings that a collection has or had: numbered from 1, which it was created with; who set them, when and why."""

    number: int
    at: datetime
    author: str
    description: str
    settings: SearchSettings


class Reconfigured(msgspec.Struct, frozen=True):
    """A change of search settings; both are the same version when there was nothing to change."""

    before: SettingsVersion
    after: SettingsVersion


def settings_at_creation(collection: Collection) -> SettingsVersion:
    """Version 1 of a collection whose search settings were never changed."""
    return SettingsVersion(1, collection.created_at, "", "as it was created", collection.profile.search)

"""The small pure decisions: what to send, how much at once."""

import pytest

from vectis.ingest.batches import Memory, batch_size
from vectis.ingest.sync import SyncPlan, plan_sync


def test_only_new_changed_and_vanished_documents_move() -> None:
    plan = plan_sync([("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")], [("b", "2"), ("c", "0"), ("d", ""), ("e", "5")])
    assert plan == SyncPlan(send=["a", "c", "d"], unchanged=["b"], remove=["e"])


@pytest.mark.parametrize(
    ("documents", "available", "size"),
    [
        (20_000, 8, 1000),
        (5000, 8, 500),
        (20_000, 4, 500),
        (5000, 4, 250),
        (20_000, 1, 100),
        (1000, 1, 20),
        (30, 8, 8),
        (3, 1, 3),
        (0, 8, 0),
    ],
)
def test_a_batch_is_smaller_the_less_memory_is_left(documents: int, available: int, size: int) -> None:
    assert batch_size(documents, Memory(available, 10)) == size

"""Workers killed at random moments: every recorded job ends done, none runs twice at a time, none is lost."""

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.jobs import Job, JobState

pytestmark = pytest.mark.faults

WORKER = Path(__file__).with_name("jobs_worker.py")
ROUNDS = 12
JOBS_A_ROUND = 4
DEADLINE_S = 120


async def start(folder: Path, name: str, *, lease_s: float = 30) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, str(WORKER), str(folder), name, str(lease_s))


async def record(store: SqlStore, numbers: range) -> list[str]:
    for number in numbers:
        await store.record_job(
            Job(id=f"job-{number}", kind="work", state=JobState.PENDING, payload={"step_s": 0.02 * (number % 4)})
        )
    return [f"job-{number}" for number in numbers]


async def until(store: SqlStore, ids: list[str], *, ended: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        states = [job.state for job in [await store.job(job_id) for job_id in ids] if job is not None]
        if states.count(JobState.DONE) >= ended:
            return
        assert time.monotonic() < deadline, Counter(states)
        await asyncio.sleep(0.05)


async def until_running(store: SqlStore) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not any(job.state is JobState.RUNNING for job in await store.jobs(limit=3)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def check_marks(folder: Path, ids: list[str]) -> Counter[str]:
    marks = Counter((folder / "marks").read_text().split("\n")[:-1])
    assert not [mark for mark in marks if mark.startswith("overlap")]
    assert {mark.removeprefix("end ") for mark in marks if mark.startswith("end ")} == set(ids)
    return marks


@pytest.mark.parametrize("names", [["one"], ["one", "two"]])
async def test_workers_killed_at_random_moments(tmp_path: Path, names: list[str]) -> None:
    chance = random.Random(len(names))
    store = await open_store(f"sqlite:///{tmp_path}/control.sqlite")
    workers = {name: await start(tmp_path, name) for name in names}
    ids: list[str] = []
    try:
        for number in range(ROUNDS):
            ids += await record(store, range(len(ids), len(ids) + JOBS_A_ROUND))
            await until(store, ids, ended=len(ids) - JOBS_A_ROUND + chance.randrange(3) - 2)
            await asyncio.sleep(chance.uniform(0, 0.3) if number % 4 else chance.uniform(0, 2))
            name = chance.choice(names)
            workers[name].kill()
            await workers[name].wait()
            workers[name] = await start(tmp_path, name)
        await until(store, ids, ended=len(ids))
    finally:
        for worker in workers.values():
            worker.send_signal(signal.SIGTERM)
        codes = [await worker.wait() for worker in workers.values()]
        await store.close()
    assert codes == [0] * len(workers)
    marks = check_marks(tmp_path, ids)
    interrupted = sum(marks[f"begin {job_id}"] - marks[f"end {job_id}"] for job_id in ids)
    assert interrupted > 0, "no kill met a running job: the test proves nothing"


async def test_what_a_killed_worker_held_is_taken_over_when_its_lease_ends(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/control.sqlite")
    await store.record_job(Job(id="job-0", kind="work", state=JobState.PENDING, payload={"step_s": 0.3}))
    one = await start(tmp_path, "one", lease_s=1.5)
    await until_running(store)
    one.kill()
    await one.wait()
    two = await start(tmp_path, "two", lease_s=1.5)
    await until(store, ["job-0"], ended=1)
    two.send_signal(signal.SIGTERM)
    assert await two.wait() == 0
    assert check_marks(tmp_path, ["job-0"]) == {"begin job-0": 2, "end job-0": 1}
    await store.close()


async def test_a_second_worker_of_a_live_ones_name_is_refused(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/control.sqlite")
    ids = [f"job-{number}" for number in range(3)]
    for job_id in ids:
        await store.record_job(Job(id=job_id, kind="work", state=JobState.PENDING, payload={"step_s": 0.3}))
    one = await start(tmp_path, "one", lease_s=10)
    await until_running(store)
    two = await start(tmp_path, "one", lease_s=10)
    assert await asyncio.wait_for(two.wait(), DEADLINE_S) == 1
    await until(store, ids, ended=3)
    assert all(count == 1 for count in check_marks(tmp_path, ids).values())
    one.kill()
    await one.wait()
    three = await start(tmp_path, "one", lease_s=10)
    await record(store, range(3, 4))
    await until(store, ["job-3"], ended=1)
    three.send_signal(signal.SIGTERM)
    assert await three.wait() == 0
    await store.close()


async def test_a_worker_that_is_asked_to_stop_finishes_what_runs_and_leaves_the_rest(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/control.sqlite")
    ids = [f"job-{number}" for number in range(3)]
    for job_id in ids:
        await store.record_job(Job(id=job_id, kind="work", state=JobState.PENDING, payload={"step_s": 0.1}))
    worker = await start(tmp_path, "one")
    await until_running(store)
    worker.send_signal(signal.SIGTERM)
    assert await worker.wait() == 0
    states = Counter(job.state for job in await store.jobs(limit=3))
    assert states == {JobState.DONE: 1, JobState.PENDING: 2}
    worker = await start(tmp_path, "one")
    await until(store, ids, ended=3)
    worker.send_signal(signal.SIGTERM)
    assert await worker.wait() == 0
    assert all(count == 1 for count in check_marks(tmp_path, ids).values())
    await store.close()

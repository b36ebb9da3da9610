"""Users of a search server: they ask again and again, at their own pace, until they are told to stop."""

import threading
from itertools import count
from random import Random
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import httpx

AT_ONCE = 4
PAUSE_S = 0.1
"""Between two questions of one of those at once: some thirty questions a second in all."""


class Users:
    """Ask `questions` of `collection` from entering to leaving, each user under a routing key of its own."""

    def __init__(self, url: str, collection: str, questions: list[str]) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self.slowest_s = 0.0
        self._url = url
        self._collection = collection
        self._questions = questions
        self._numbers = count(1)
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(AT_ONCE)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, seed: int) -> None:
        random = Random(seed)
        with httpx.Client(base_url=self._url, timeout=60) as http:
            while not self._stop.wait(PAUSE_S):
                with self._counting:
                    user = f"user-{next(self._numbers)}"
                body: dict[str, Any] = {"collection": self._collection, "query": random.choice(self._questions)}
                started = perf_counter()
                try:
                    answer = http.post("/api/v1/search", json=body, headers={"X-Routing-Key": user})
                    failure = "" if answer.is_success else answer.text
                except httpx.HTTPError as error:
                    failure = repr(error)
                with self._counting:
                    self.answered += not failure
                    self.slowest_s = max(self.slowest_s, perf_counter() - started)
                    if failure:
                        self.failed.append(failure)

"""The model over its graph: tokens, batches, threads; and the embedder of each profile, which all run it.

Finding weights is weights.py's, keeping the graph store.py's.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tokenizers import Tokenizer

from vectis.adapters.minilm.batches import batches
from vectis.adapters.minilm.session import GraphSession
from vectis.adapters.minilm.shape import SPECIAL_TOKENS
from vectis.adapters.minilm.store import ensure_graph
from vectis.adapters.minilm.weights import MiniLmWeights
from vectis.domain.errors import EmbedderUnavailable, InvalidSetting
from vectis.domain.points import Dense
from vectis.domain.profiles import EmbeddingProfile
from vectis.domain.texts import sound

BATCH_TOKENS_MAX = 512
"""The fastest on chunks of 128 tokens: what a layer makes of so many tokens stays in a core's cache."""

QUERIES_MAX = 16
"""Queries that wait together and run together."""


class MiniLmModel:
    """all-MiniLM-L6-v2: vectors of 384 dimensions, of at most 256 tokens, two of them special.

    Making one blocks: it builds the graph in `cache_folder` when that is not there yet (a second or two), else checks it.
    The model is loaded at the first use, for queries and for documents apart, so that a process that does one of the two
    pays for one. Documents run as `threads` batches side by side, on one core each; queries that wait together run as one
    batch on `threads` cores. The event loop is free meanwhile.
    """

    def __init__(
        self, weights: MiniLmWeights, cache_folder: Path, threads: int = 2, batch_tokens_max: int = BATCH_TOKENS_MAX
    ) -> None:
        if threads < 1 or batch_tokens_max < 1:
            raise InvalidSetting("the embedder needs at least 1 thread and 1 token a batch")
        self._tokenizer = Tokenizer.from_file(str(weights.tokenizer))
        self._tokenizer.no_padding()  # the published file pads and cuts every text to 128 tokens
        self._tokenizer.no_truncation()
        self._begin, self._end = self._tokenizer.encode("").ids
        graph = ensure_graph(weights, cache_folder)
        self._for_documents = GraphSession(graph, threads=1)
        self._for_queries = GraphSession(graph, threads=threads)
        self._document_pool = ThreadPoolExecutor(threads, thread_name_prefix="minilm-documents")
        self._query_pool = ThreadPoolExecutor(1, thread_name_prefix="minilm-queries")
        self._waiting: deque[tuple[str, int, Future[Dense]]] = deque()
        self._batch_tokens_max = batch_tokens_max
        self._closed = False

    async def embed_documents(self, texts: Sequence[str], max_tokens: int) -> list[Dense]:
        """One unit-length vector per text, in order, of its first `max_tokens`, special ones counted."""
        self._check_open()
        if not texts:
            return []
        loop = asyncio.get_running_loop()
        tokens = await loop.run_in_executor(self._document_pool, self._tokenize_all, texts, max_tokens)
        self._check_open()
        plan = self._plan(tokens)
        parts = await asyncio.gather(
            *(
                loop.run_in_executor(self._document_pool, self._run_documents, [tokens[i] for i in batch])
                for batch in plan
            )
        )
        by_place: dict[int, Dense] = {}
        for batch, part in zip(plan, parts, strict=True):
            by_place.update(zip(batch, part, strict=True))
        return [by_place[place] for place in range(len(texts))]

    async def embed_query(self, text: str, max_tokens: int) -> Dense:
        """The unit-length vector of one query, of its first `max_tokens`, special ones counted."""
        self._check_open()
        answer: Future[Dense] = Future()
        self._waiting.append((text, max_tokens, answer))
        # One run is asked for each query, so none stays behind; a run takes all that wait, so later runs may find none.
        self._query_pool.submit(self._answer_waiting)
        return await asyncio.wrap_future(answer)

    def count_tokens(self, text: str) -> int:
        """Exact, special tokens not counted, without truncation. About 1 microsecond a token."""
        return len(self._encode(text))

    async def close(self) -> None:
        """Finish the batches that run; what waits and what comes is refused."""
        self._closed = True
        for pool in (self._document_pool, self._query_pool):
            await asyncio.to_thread(pool.shutdown)

    def _run_documents(self, tokens: list[list[int]]) -> list[Dense]:
        self._check_open()
        return self._for_documents.run(tokens)

    def _answer_waiting(self) -> None:
        asked = self._take_waiting()
        try:
            self._check_open()
            tokens = [self._tokenize(text, max_tokens) for text, max_tokens, _ in asked]
            for batch in self._plan(tokens):
                vectors = self._for_queries.run([tokens[i] for i in batch])
                for place, vector in zip(batch, vectors, strict=True):
                    asked[place][2].set_result(vector)
        except Exception as error:  # noqa: BLE001  whatever it is, it is the callers': they would wait for ever
            for *_, answer in asked:
                if not answer.done():
                    answer.set_exception(error)

    def _take_waiting(self) -> list[tuple[str, int, Future[Dense]]]:
        taken: list[tuple[str, int, Future[Dense]]] = []
        while self._waiting and len(taken) < QUERIES_MAX:
            waiting = self._waiting.popleft()
            if waiting[-1].set_running_or_notify_cancel():
                taken.append(waiting)
        return taken

    def _plan(self, tokens: list[list[int]]) -> list[list[int]]:
        return batches([len(ids) for ids in tokens], self._batch_tokens_max)

    def _tokenize_all(self, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
        return [self._tokenize(text, max_tokens) for text in texts]

    def _tokenize(self, text: str, max_tokens: int) -> list[int]:
        return [self._begin, *self._encode(text)[: max_tokens - SPECIAL_TOKENS], self._end]

    def _encode(self, text: str) -> list[int]:
        # A batch of one: unlike `encode` it releases the GIL, and unlike a batch of many it keeps to this thread.
        return self._tokenizer.encode_batch_fast([sound(text)], add_special_tokens=False)[0].ids

    def _check_open(self) -> None:
        if self._closed:
            raise EmbedderUnavailable(
                "the embedder is closed because the server is stopping: ask again when it is back"
            )


class MiniLmEmbedder:
    """Vectors of one profile, made by the model that it shares with the others."""

    def __init__(self, model: MiniLmModel, profile: EmbeddingProfile) -> None:
        self._model = model
        self._profile = profile

    @property
    def profile(self) -> EmbeddingProfile:
        """Model, SHA-256 of the weights, dimension, truncation and prefixes."""
        return self._profile

    async def embed_documents(self, texts: Sequence[str]) -> list[Dense]:
        """See the port."""
        prefix = self._profile.document_prefix
        return await self._model.embed_documents([prefix + text for text in texts], self._profile.max_tokens)

    async def embed_query(self, text: str) -> Dense:
        """See the port."""
        return await self._model.embed_query(self._profile.query_prefix + text, self._profile.max_tokens)

    def count_tokens(self, text: str) -> int:
        """Exact, as the model counts."""
        return self._model.count_tokens(text)

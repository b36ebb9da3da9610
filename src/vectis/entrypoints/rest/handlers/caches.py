"""The caches: figures, warm-up, clearing."""

from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.operation import Call


async def show(call: Call) -> answers.CacheFigures:
    """What each cache holds and did."""
    figures = await call.services.caches.figures(call.may_all())
    return answers.CacheFigures(**figures)


async def warm(call: Call) -> answers.CacheWarmed:
    """Compute the answers to the most frequent recent questions."""
    return answers.CacheWarmed(await call.services.caches.warm(call.may_all(), call.body.count))


async def clear(call: Call) -> answers.CacheCleared:
    """Forget answers, and vectors where that is asked."""
    cleared = await call.services.caches.clear(call.may_all(), embeddings=call.body.embeddings)
    return answers.CacheCleared(answers=cleared.answers, embeddings=cleared.embeddings)

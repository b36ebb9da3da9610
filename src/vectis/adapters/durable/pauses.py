"""How long a job that failed waits before it runs again. Pure."""

from hashlib import blake2b

from vectis.domain.errors import DiskFull, Unavailable

OUTSIDE = (Unavailable, DiskFull)
"""What time or an operator ends: it never kills a job, however often it is met."""

_FIRST_S = 0.5
_MAX_S = 60.0
_OUTSIDE_MAX_S = 15.0
_DISK_FULL_RETRY_S = 1.0


def pause_after(job_id: str, failures: int, error: BaseException) -> float:
    """Seconds until the next attempt: doubled with each failure, then between half and all of it.

    Which part is drawn from the job's id and the number of its failures, so that jobs that failed together do not come
    back together.
    """
    whole_s = min(_MAX_S, _FIRST_S * 2.0 ** min(failures - 1, 10))
    draw = int.from_bytes(blake2b(f"{job_id}:{failures}".encode(), digest_size=4).digest()) / 2**32
    pause_s = whole_s * (0.5 + draw / 2)
    if isinstance(error, OUTSIDE):
        return max(min(pause_s, _OUTSIDE_MAX_S), retry_after_s(error))
    return pause_s


def retry_after_s(error: Unavailable | DiskFull) -> float:
    """When to ask again for what is away or full."""
    return error.retry_after_s if isinstance(error, Unavailable) else _DISK_FULL_RETRY_S

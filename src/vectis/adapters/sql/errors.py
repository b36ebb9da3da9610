"""What databases and their drivers raise, as errors of the domain. The one place where this is translated."""

from errno import ENOSPC
from sqlite3 import SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR_SHMSIZE, SQLITE_LOCKED

from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from vectis.domain.errors import DiskFull, InvalidInput, StoreUnavailable, VectisError

DRIVER_ERRORS = (DBAPIError, PoolTimeout, OSError, OverflowError)
"""All that a statement, a commit or a connect can raise."""

_SQLITE_FULL = (SQLITE_FULL, SQLITE_IOERR_SHMSIZE)
_SQLITE_BUSY = (SQLITE_BUSY, SQLITE_LOCKED)
_POSTGRES_FULL = "53100"
_POSTGRES_COLLISION = ("40001", "40P01", "55P03")
_BUSY_RETRY_S = 1.0
_DOWN_RETRY_S = 5.0


def translate(error: Exception) -> VectisError:
    """The domain's error for one of DRIVER_ERRORS: DiskFull, InvalidInput or StoreUnavailable."""
    cause: object = error.orig if isinstance(error, DBAPIError) else error
    reason = " ".join(str(cause).split())
    sqlite_code: int = getattr(cause, "sqlite_errorcode", 0)
    sqlstate: str = getattr(cause, "sqlstate", None) or ""
    if sqlite_code in _SQLITE_FULL or sqlstate == _POSTGRES_FULL or getattr(cause, "errno", None) == ENOSPC:
        return DiskFull(f"the control store has no space left: free some and repeat the request ({reason})")
    if isinstance(error, DataError | UnicodeError | OverflowError):
        return InvalidInput(f"the control store cannot keep this value ({reason})")
    if sqlite_code & 0xFF in _SQLITE_BUSY or sqlstate in _POSTGRES_COLLISION or isinstance(error, PoolTimeout):
        return StoreUnavailable(f"the control store is busy: try again ({reason})", retry_after_s=_BUSY_RETRY_S)
    return StoreUnavailable(
        f"the control store does not answer: check that it runs and can be reached ({reason})",
        retry_after_s=_DOWN_RETRY_S,
    )

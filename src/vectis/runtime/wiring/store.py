"""The control store that the settings name."""

from vectis.adapters.sql.database import Pool
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import Settings, StoreSettings


async def open_control_store(settings: Settings, paths: FolderLayout) -> SqlStore:
    """Open it, its tables brought up to date. Raises InvalidSetting, StoreUnavailable, DiskFull."""
    return await open_store(settings.store.url.reveal() or f"sqlite:///{paths.control}", _pool(settings.store))


def _pool(settings: StoreSettings) -> Pool:
    return Pool(
        size=settings.pool_size,
        overflow=settings.pool_overflow,
        timeout_s=settings.pool_timeout_s,
        recycle_s=settings.pool_recycle_s,
    )

"""Opens the engine that the settings name."""

from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

from vectis.adapters.edge.client import EdgeEngine
from vectis.domain.errors import InvalidSetting
from vectis.domain.ports.engine import Engine
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import EngineSettings


async def open_engine(stack: AsyncExitStack, settings: EngineSettings, paths: FolderLayout) -> Engine:
    """The engine as a process uses it, closed with `stack`; the embedded one is a process that runs already."""
    if settings.kind == "qdrant":
        server = await _qdrant_adapter().open_qdrant(
            settings.url,
            api_key=settings.api_key.reveal() or None,
            prefer_grpc=settings.grpc,
            timeout_s=settings.timeout_s,
        )
        stack.push_async_callback(server.close)
        return server
    return await stack.enter_async_context(EdgeEngine(paths.engine_socket, timeout_s=settings.timeout_s))


def _qdrant_adapter() -> Any:
    """The one adapter that is optional; it also takes a second to import, which an embedded server need not wait for."""
    try:
        return import_module("vectis.adapters.qdrant.engine")
    except ModuleNotFoundError as error:
        raise InvalidSetting(
            f"engine.kind qdrant needs {error.name}: pip install 'vectis[qdrant]'", key="engine.kind"
        ) from None

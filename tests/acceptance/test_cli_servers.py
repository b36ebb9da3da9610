"""Commands that share a data folder without a server of its own."""

from pathlib import Path

from vectis.entrypoints.cli.server.connection import connect
from vectis.entrypoints.cli.server.private_server import private_server


async def test_a_command_goes_on_when_the_one_whose_server_it_used_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with connect(None, folder) as api:
        await api.post("/collections", {"name": "kept", "vectors": {"dense": {"size": 2}}})
    first = private_server(folder, {})
    socket = await first.__aenter__()
    async with connect(None, folder) as api:
        assert api.where == f"unix:{socket.resolve()}"
        assert (await api.get("/collections/kept"))["points"] == 0
        await first.__aexit__(None, None, None)
        point = {"id": 1, "vector": {"dense": [1.0, 0.0]}}
        await api.put("/collections/kept/points", {"points": [point]})
        assert (await api.get("/collections/kept"))["points"] == 1

"""The configuration of a running server."""

from pathlib import Path

import psutil
from serving import StartServer

SECRETS = ("secret-of-a-file", "secret-of-the-environment")


def test_no_process_has_a_secret_in_its_environment(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRETS[0])
    server = start_server(
        None, VECTIS_EMBEDDER__KIND="none", QDRANT_API_KEY_FILE=str(tmp_path / "key"), OPENAI_API_KEY=SECRETS[1]
    )
    family = server.family()
    assert len(family) == 4
    for process in family:
        seen = " ".join(
            [*process.cmdline(), *(process.environ().values() if process.pid != server.process.pid else ())]
        )
        assert not any(secret in seen for secret in SECRETS), process
    assert psutil.Process(server.process.pid).environ()["OPENAI_API_KEY"] == SECRETS[1], "as its starter gave it"
    assert not any(secret in server.log() for secret in SECRETS)

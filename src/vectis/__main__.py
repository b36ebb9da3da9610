"""`python -m vectis` is the command `vectis`."""

from vectis.entrypoints.cli.main import app

if __name__ == "__main__":
    app(prog_name="vectis")

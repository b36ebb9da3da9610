"""Who runs a command on this machine, as the system calls him."""

import getpass
import os


def local_account() -> str:
    """The user's name; the number where the system knows no name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"

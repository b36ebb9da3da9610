"""No orphans: a pipe that only the supervisor can keep open. When it closes, for whatever reason, children end themselves."""

import os
import select
import signal
import threading

FD_KEY = "LIFELINE_FD"
"""Tells a child which descriptor to watch. Not a setting: it has no meaning to people."""

GRACE_S = 10.0


class Lifeline:
    """The supervisor's side. Children inherit `read_fd`; nothing is ever written."""

    def __init__(self) -> None:
        self.read_fd, self._write_fd = os.pipe()

    def close(self) -> None:
        """Let go. Children that are left end themselves."""
        os.close(self._write_fd)
        os.close(self.read_fd)


def watch_parent(grace_s: float = GRACE_S) -> bool:
    """Make this process end when its supervisor is gone: by SIGTERM to itself, and hard `grace_s` later if it still lives.

    Call it once, early in a process main, after SIGTERM means an orderly end. False, and nothing happens, in a process
    that no supervisor started.
    """
    fd = os.environ.pop(FD_KEY, None)
    if fd is None:
        return False
    threading.Thread(target=_watch, args=(int(fd), grace_s), name="lifeline", daemon=True).start()
    return True


def _watch(fd: int, grace_s: float) -> None:
    hung_up = select.poll()  # not a read: the pipe is shared, and another child may have made it non-blocking
    hung_up.register(fd, select.POLLHUP)
    hung_up.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(grace_s)
    os._exit(1)

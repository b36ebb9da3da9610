"""How much memory the machine has left."""

from pathlib import Path

from vectis.ingest.batches import Memory

_MEMINFO = Path("/proc/meminfo")


def machine_memory() -> Memory:
    """What the kernel says is available, of the total. Where it does not say (not Linux), all of it counts as free."""
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return Memory(available=1, total=1)
    values = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines) if rest}
    return Memory(available=values.get("MemAvailable", 1), total=values.get("MemTotal", 1))

"""The progress bar: how far, how fast, how much longer. On stderr and on terminals only."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from vectis.entrypoints.cli.terminal.output import notes


class RateColumn(ProgressColumn):
    """Documents per second."""

    def render(self, task: Task) -> Text:
        """Dashes until there is a rate."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "--/s", "cyan")


@contextmanager
def progress_bar(title: str, total: int, *, shown: bool) -> Generator[Callable[[float], None]]:
    """Give a function that is told how many are done; draw nothing when not `shown` or when stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=notes, disable=not shown or not notes.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)

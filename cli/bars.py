"""A bar on stderr for work of known length; nothing where there is no terminal."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def bar(label: str) -> Callable[[Iterable[Any], int], Iterable[Any]]:
    """Return what wraps an iterable, and its length, to show how far it is."""

    def track(items: Iterable[Any], total: int) -> Iterable[Any]:
        return weighted_bar(label)(items, lambda: [1.0] * total)

    return track


def weighted_bar(
    label: str,
) -> Callable[[Iterable[Any], Callable[[], Iterable[float]]], Iterable[Any]]:
    """Return what wraps an iterable, and what returns each item's share of the work.

    That is called where there is a terminal only, as it may read files.
    """

    def track(
        items: Iterable[Any], shares: Callable[[], Iterable[float]]
    ) -> Iterator[Any]:
        if sys.stderr is None or not sys.stderr.isatty():
            yield from items
            return
        from rich import progress  # which takes a while to load
        from rich.console import Console

        console = Console(stderr=True)
        if not console.is_terminal:
            yield from items
            return
        weights = list(shares())
        # By default rich takes over stdout too, and what goes to a file or a pipe would
        # land in the terminal.
        with progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        ) as shown:
            task = shown.add_task(label, total=sum(weights) or None)
            for item, weight in zip(items, weights, strict=True):
                yield item
                shown.advance(task, weight)

    return track

"""A bar on stderr for work of known length; nothing where there is no terminal."""

from collections.abc import Callable, Iterable
from typing import Any


def bar(label: str) -> Callable[[Iterable[Any], int], Iterable[Any]]:
    """Return what wraps an iterable, and its length, to show how far it is."""

    def track(items: Iterable[Any], total: int) -> Iterable[Any]:
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True)
        return progress.track(
            items,
            label,
            total=total,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    return track

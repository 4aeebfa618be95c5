"""Functions as machine code."""

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any]) -> Any:
    """Return a function compiled by numba, which takes 0.5 s to load.

    The machine code is kept on disk, beside the function or in the user's cache folder;
    where neither can be written to, it is made anew in each process, in 2 s.
    """
    import numba

    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # how numba says that it has no place for it
        return numba.njit(function)

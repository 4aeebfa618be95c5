"""Functions as machine code."""

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any


def compiled(function: Callable[..., Any], *, inline: bool = False) -> Any:
    """Return a function compiled by numba, which takes 0.5 s to load.

    The machine code is made when the function is first called and kept on disk, beside
    its module or in the user's cache folder; where neither can be written to, it is
    made anew in each process. Other threads run while the function does.

    It is kept by what all modules of the package hold: numba itself looks at the
    function's own module alone, and would go on with old code of functions it calls.

    Args:
        function: What numba understands.
        inline: Put its code where it is called. Arguments that hold many arrays cost
            0.1 microseconds a call otherwise.
    """
    import numba

    folder = _folder(Path(function.__code__.co_filename).parent)
    settings: Any = numba.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = before if folder is None else str(folder)
    options: Any = {"nogil": True, "inline": "always" if inline else "never"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # how numba says that it has no place for it
        return numba.njit(**options)(function)
    finally:
        settings.CACHE_DIR = before


def is_kept(function: Any) -> bool:
    """Return whether the machine code of a compiled function is on the disk."""
    python = function.py_func
    folder = _folder(Path(python.__code__.co_filename).parent)
    # numba names its index by module, function and line.
    name = f"{python.__module__.rpartition('.')[2]}.{python.__qualname__}-*.nbi"
    return folder is not None and any(folder.rglob(name))


@cache
def _folder(package: Path) -> Path | None:
    """Return where the code of a package's functions is kept; None if nowhere can be.

    What was kept of the package's earlier states is removed.
    """
    content = hashlib.sha256()
    for path in sorted(package.glob("*.py")):
        content.update(path.read_bytes())
    name = f"compiled-{package.name}-"
    for base in (package / "__pycache__", Path("~/.cache/recurrent-asr")):
        try:
            base = base.expanduser()
            base.mkdir(parents=True, exist_ok=True)
        except (OSError, RuntimeError):  # the second, if nobody knows the home
            continue
        if os.access(base, os.W_OK):
            folder = base / f"{name}{content.hexdigest()[:16]}"
            for old in base.glob(f"{name}*"):
                if old != folder:
                    shutil.rmtree(old, ignore_errors=True)
            return folder
    return None

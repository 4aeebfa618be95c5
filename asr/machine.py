"""Functions as machine code."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

#: Days after which code in the user's cache folder that nobody used is removed.
_DAYS = 30
#: Characters of the longest names that numba gives its files, and more.
_NAME = 100


def compiled(
    function: Callable[..., Any],
    *,
    inline: bool = False,
    vectors: bool = False,
    kept: bool = True,
) -> Any:
    """Return a function compiled by numba, which takes 0.5 s to load.

    The machine code is made when the function is first called and kept on disk: where
    ``NUMBA_CACHE_DIR`` says, beside its module, or in the user's cache folder; where
    none can be written to, it is made anew in each process. Other threads run while the
    function does.

    It is kept by what all modules of the package hold, and this one: numba itself looks
    at the function's own module alone, and would go on with old code of others.

    Args:
        function: What numba understands.
        inline: Put its code where it is called. Arguments that hold many arrays cost
            0.1 microseconds a call otherwise.
        vectors: Loops of arithmetic can become vector instructions: a product and a sum
            may round once together, and what is divided by 0 is infinite, no error.
        kept: Keep the code on disk; what only others call is kept with them.
    """
    import numba

    options: Any = {"nogil": True, "inline": "always" if inline else "never"}
    if vectors:
        # Of numba's fastmath this alone: the rest assumes that nothing is NaN.
        options |= {"fastmath": {"contract"}, "error_model": "numpy"}
    if not kept:
        return numba.njit(**options)(function)
    return _keeping(partial(numba.njit, **options), function)


def callback(signature: Any, function: Callable[..., Any]) -> Any:
    """Return a function as a C function, compiled by numba and kept likewise.

    Args:
        signature: Its numba type.
        function: What numba understands.
    """
    import numba

    return _keeping(partial(numba.cfunc, signature), function)


def _keeping(
    compile_: Callable[..., Callable[..., Any]], function: Callable[..., Any]
) -> Any:
    """Return a compiled function that numba keeps where the package's code is kept."""
    import numba

    folder = code_folder(Path(function.__code__.co_filename).parent)
    if folder is None:
        return compile_()(function)
    settings: Any = numba.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder)
    try:
        return compile_(cache=True)(function)
    except RuntimeError:  # how numba says that it has no place for it
        return compile_()(function)
    finally:
        settings.CACHE_DIR = before


#: For what is only called by other compiled functions, and kept with them.
part = partial(compiled, kept=False)


def is_interpreted() -> bool:
    """Return whether numba is to leave functions in Python (``NUMBA_DISABLE_JIT``)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "").strip() not in ("", "0")


def is_kept(function: Any) -> bool:
    """Return whether a compiled function's code is on the disk, if it has any."""
    if is_interpreted():
        return True
    python = function.py_func
    name = f"{python.__module__}.{python.__qualname__}"
    return keeps(Path(python.__code__.co_filename).parent, name)


def keeps(package: Path, name: str) -> bool:
    """Return whether numba has kept a function.

    Args:
        package: The folder of its package.
        name: Its full name.
    """
    folder = code_folder(package)
    # numba names its index by module, function and line.
    index = f"{'.'.join(name.split('.')[-2:])}-*.nbi"
    return folder is not None and any(folder.rglob(index))


@cache
def code_folder(package: Path) -> Path | None:
    """Return where code of a package's functions is kept; None if nowhere can be."""
    # This module decides how they are compiled.
    content = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(package.glob("*.py")):
        content.update(path.read_bytes())
    name, stamp = f"compiled-{package.name}-", content.hexdigest()[:8]
    asked = os.environ.get("NUMBA_CACHE_DIR")
    own = package / "__pycache__"
    places = [Path(asked)] if asked else [own, Path("~/.cache/recurrent-asr")]
    for base in places:
        try:
            base = base.expanduser()
            folder = base / f"{name}{stamp}"
            folder.mkdir(parents=True, exist_ok=True)
            # Where only names are too long, numba would fail later.
            trial = folder / f"{os.getpid()}".ljust(_NAME, "-")
            trial.touch()
            trial.unlink()
        except (OSError, RuntimeError):  # the second, if nobody knows the home
            continue
        # Beside a package there is one state of it; elsewhere there may be several.
        _clear(base, name, folder, days=0 if base == own else _DAYS)
        return folder
    return None


def _clear(base: Path, name: str, used: Path, days: int) -> None:
    """Remove what was kept of other states of a package, unless it was used lately."""
    os.utime(used)
    for old in base.glob(f"{name}*"):
        if old != used and time.time() - old.stat().st_mtime > days * 86400:
            shutil.rmtree(old, ignore_errors=True)

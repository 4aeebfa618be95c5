"""Where a model runs, and whether it gives the same bits there each time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from asr.errors import ModelError


def choose_device(name: str) -> str:
    """Return "cpu" or "cuda" for a name; "auto" takes a GPU where there is one.

    Raises:
        ModelError: If the name is another one, or there is no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ModelError(f"--device {name}: must be auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("--device cuda: PyTorch finds no CUDA GPU; use cpu")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


@contextmanager
def repeatable(wanted: bool) -> Iterator[None]:
    """Have PyTorch use only algorithms that give the same bits each time.

    A CPU's always do. On a GPU this must come before anything is computed there, as
    cuBLAS reads its setting then; sums that are added up in any order raise, or have a
    slower way.

    Args:
        wanted: Whether to do so; else nothing changes.
    """
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    # Of the values that make cuBLAS repeatable, the one that does so for cuDNN's
    # recurrent layers too.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)

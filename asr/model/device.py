"""Where a model runs."""

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

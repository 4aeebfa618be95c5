"""Both ways torchaudio can be installed, each in a process of its own."""

import subprocess
import sys

import pytest

from asr.torchaudio_guard import torchaudio

# Stands in for the state of the compiled extension: raises as a missing CUDA library
# does, or loads and answers as a matching build would.
_BROKEN = """
import torch
def refuse(path):
    raise OSError("libc10_cuda.so: cannot open shared object file")
torch.ops.load_library = refuse
"""
_MATCHING = """
import types, torch
torch.ops.load_library = lambda path: None
library = types.SimpleNamespace(
    is_align_available=lambda: True, cuda_version=lambda: None
)
torch.ops._torchaudio = library
class Operators:
    def __getattr__(self, name):
        return None
torch.ops.torchaudio = Operators()
"""
_REPORT = """
from asr.torchaudio_guard import torchaudio
print(torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE)
print(torchaudio.transforms.MelSpectrogram(n_mels=8)(torch.zeros(1, 800)).shape[1])
"""


@pytest.mark.parametrize(("state", "extension"), [(_BROKEN, False), (_MATCHING, True)])
def test_transforms_work_with_and_without_the_extension(state, extension):
    script = f"import torch\n{state}{_REPORT}"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(extension), "8"]


def test_parts_in_use_are_there():
    assert torchaudio.functional.create_dct(4, 8, norm="ortho").shape == (8, 4)

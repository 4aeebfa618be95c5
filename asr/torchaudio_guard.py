"""The one import of torchaudio, which a CPU-only torch needs help with.

The registry's torchaudio wheel for Linux carries compiled libraries linked against
CUDA. Beside a CPU-only torch they cannot be loaded and ``import torchaudio`` fails,
although its Python parts (transforms, Kaldi-compatible features, data sets) need none
of them. torchaudio has a state for "built without the extension"; where the library
does not load, this module imports torchaudio in that state. A normal install is
imported as it is.

Use it as ``from asr.torchaudio_guard import torchaudio``.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

_LOADER = "torchaudio._extension.utils"


def import_torchaudio() -> ModuleType:
    """Return torchaudio, without its compiled extension where that does not load."""
    try:
        return importlib.import_module("torchaudio")
    except OSError:
        # What the failed import left behind would be taken for the real thing.
        for name in [n for n in sys.modules if n.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
    _preload_without_extension()
    return importlib.import_module("torchaudio")


def _preload_without_extension() -> None:
    """Load torchaudio's library loader by itself and have it find no library.

    ``_load_lib`` returns False where a library file is absent, and torchaudio then does
    without; see its docstring in ``torchaudio/_extension/utils.py``.
    """
    package = importlib.util.find_spec("torchaudio")
    assert package is not None and package.submodule_search_locations is not None
    folder = package.submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location(
        _LOADER, f"{folder}/_extension/utils.py"
    )
    assert spec is not None and spec.loader is not None
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    loader._load_lib = lambda _library: False  # type: ignore[attr-defined]
    sys.modules[_LOADER] = loader


torchaudio = import_torchaudio()

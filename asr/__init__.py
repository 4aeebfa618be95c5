"""Train, run and score recurrent CTC speech recognisers.

Importing ``asr`` imports nothing heavy; each stage is a module of its own:
``asr.corpora`` (prep), ``asr.training``, ``asr.recognition`` and ``asr.scoring``.
:func:`load` is all that transcribing takes.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr.recognition.recognisers import Recogniser

__version__ = "0.1.0"


def load(path: str | os.PathLike[str], device: str = "auto") -> "Recogniser":
    """Return a recogniser: ``asr.load("starter").transcribe("talk.wav").text``.

    Args:
        path: Experiment's folder, its model, or an exported one, which needs no torch;
            or the name of a model that comes with the package (``asr models``).
        device: cpu or cuda; auto takes a GPU where there is one.

    Raises:
        ModelError: If the model is missing, damaged, or of another version.
    """
    from asr.recognition.recognisers import load_recogniser

    return load_recogniser(path, device)

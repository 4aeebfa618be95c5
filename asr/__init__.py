"""Train, run and score recurrent CTC speech recognisers.

Importing ``asr`` imports nothing heavy; each stage is a module of its own:
``asr.corpora`` (prep), ``asr.training``, ``asr.recognition`` and ``asr.scoring``.
"""

__version__ = "0.1.0"

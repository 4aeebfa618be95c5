"""N-gram language models: estimated from text, pruned, read and written."""

from asr.ngrams.file import load_lm, save_lm
from asr.ngrams.model import NgramModel, perplexity

__all__ = ["NgramModel", "load_lm", "perplexity", "save_lm"]

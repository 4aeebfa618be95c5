"""Importing corpora: any known layout to manifests of utterances."""

from asr.corpora.formats import FORMATS
from asr.corpora.options import PrepOptions
from asr.corpora.prepare import prepare
from asr.corpora.report import Preparation, Split

__all__ = ["FORMATS", "PrepOptions", "Preparation", "Split", "prepare"]

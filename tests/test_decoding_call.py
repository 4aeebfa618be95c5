import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from asr.config import DecodingConfig, TextConfig
from asr.decoding.beam import build_decoder
from asr.decoding.call import ARRAYS, known
from asr.decoding.hotwords import Hotword
from asr.tokens import BLANK, Tokens

SEARCH = """
import numpy as np
from asr.decoding.room import CODE
from tests.test_decoding_call import decoder, rows
ready = CODE.is_kept
print(ready, [(c.text, round(c.score, 4)) for c in decoder().decode(rows(), 3)])
"""


def decoder():
    hotwords = [Hotword("ab", 1.5)]
    tokens = Tokens((BLANK, "a", "b", " "))
    return build_decoder(tokens, DecodingConfig(), TextConfig(), hotwords=hotwords)


def rows():
    """Return log-probabilities, shape (12, 4)."""
    return np.log(np.random.default_rng(3).dirichlet(np.ones(4), 12)).astype(np.float32)


def test_what_is_known_is_named_as_in_the_record():
    knowledge = decoder().knowledge
    arrays = known(knowledge)
    groups = ("piece_", "trie_", "ngram_", "hot_")
    assert arrays.keys() == {name for name in ARRAYS if name.startswith(groups)}
    assert {name: a.dtype for name, a in arrays.items()} == {
        n: ARRAYS[n] for n in arrays
    }
    assert arrays["hot_gain"] is knowledge.matcher.gain
    assert arrays["ngram_letters"] is knowledge.ngrams.letters
    assert arrays["trie_first"] is knowledge.trie.first


def test_a_search_that_numba_is_not_to_compile_finds_the_same():
    root = str(Path(__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SEARCH],
        env={**os.environ, "PYTHONPATH": root, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    heard = [(c.text, round(c.score, 4)) for c in decoder().decode(rows(), 3)]
    assert result.stdout.strip() == f"True {heard}"

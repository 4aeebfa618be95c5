"""Random draws by key.

Every draw comes from a generator keyed by (seed, epoch, utterance), so an utterance is
changed in the same way whoever shares its batch and however many workers read it.
"""

import hashlib

import numpy as np


def generator(*key: object) -> np.random.Generator:
    """Return a generator that depends on the key's values and on nothing else."""
    text = "\x1f".join(str(part) for part in key).encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))

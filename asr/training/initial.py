"""A training that begins with another model's weights: ``asr train --init``.

The network must be the other's: all of ``[features]`` and ``[model]`` but what its
weights do not hang on. The tokens are those of the new texts. Of the output layer, the
rows of tokens that both have are carried over, whatever their ids, and the rest begins
as in any training: the blank, whose row decides most frames, is always among them.

Statistics for global CMVN are measured in the new data, as in any training. The network
was taught to expect features of mean 0 and deviation 1, and by the old statistics those
of another microphone or room have neither. 80 means are known well after a minute.

Source: Kunze et al. (2017), "Transfer learning for speech recognition on a budget".
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.config import Config
from asr.errors import ConfigError, FileError, ModelError, printable
from asr.model.file import find_model, kept_tensors, load_model, read_metadata
from asr.settings import config_differences, config_to_dict, load_config

if TYPE_CHECKING:
    from asr.model.acoustic import AcousticModel

#: Settings of a network that its weights do not hang on.
_FREE = ("model.dropout: ", "model.equations: ")
#: In a training's fingerprint, before that of the model it began with.
BEGAN_WITH = " began with "
#: New tokens that are named.
_MOST_NAMED = 20


@dataclass(frozen=True)
class Initial:
    """What a training begins with.

    Attributes:
        path: As the user named it.
        model: In evaluation mode, on the CPU.
        fingerprint: Hash of its weights and tokens.
    """

    path: Path
    model: "AcousticModel"
    fingerprint: str

    def about(self) -> dict[str, Any]:
        """Return what the new model's summary says of it."""
        summary = self.model.summary
        return {"model": str(self.path), "dev_wer": summary.get("dev_wer")}


def load_settings(
    path: Path | None, settings: Sequence[str], initial: Path | None
) -> Config:
    """Return the settings of a training; the initial model's lie beneath the user's.

    That is ``[features]``, ``[model]``, ``[text]``, and of ``[tokens]`` unit and size.
    The characters are those of the new texts.

    Args:
        path: TOML file, or None.
        settings: As ``section.name=value``.
        initial: A model file or experiment folder, or None: then it is
            :func:`asr.settings.load_config`.

    Raises:
        ConfigError: If a setting is unknown or does not go with the others.
        ModelError: If there is no such model, or it cannot be read.
    """
    if initial is None:
        return load_config(path, settings)
    tree = config_to_dict(read_metadata(_find(initial)).config)
    beneath = {name: tree[name] for name in ("features", "model", "text")}
    beneath["tokens"] = {name: tree["tokens"][name] for name in ("unit", "size")}
    try:
        return load_config(path, settings, beneath=beneath)
    except ConfigError as error:
        raise ConfigError(
            f"{error} (settings that you do not name are those of --init {initial})"
        ) from None


def load_initial(path: Path, config: Config) -> Initial:
    """Return the model that a training with these settings is to begin with.

    Raises:
        ModelError: If there is no such model, or it cannot be read.
        ConfigError: If the settings are those of another network, naming them.
    """
    model = load_model(_find(path))
    changed = [
        line
        for line in config_differences(model.config, config)
        if line.startswith(("features.", "model.")) and not line.startswith(_FREE)
    ]
    if changed:
        raise ConfigError(
            f"--init {path}: its weights are of another network ({'; '.join(changed)});"
            " leave these settings out, or train without --init"
        )
    return Initial(path, model, _fingerprint(model))


def require_kept(initial: Path, out: Path) -> None:
    """Make sure that a training does not replace the model that it begins with.

    Raises:
        FileError: If the model lies in the training's folder.
        ModelError: If there is no such model.
    """
    if _find(initial).resolve().parent == out.resolve():
        raise FileError(
            f"{out}: holds the model of --init, which would be replaced; choose "
            "another --out"
        )


def begin_with(model: "AcousticModel", initial: "AcousticModel") -> str:
    """Give a model the initial one's weights; return what was taken, in a line.

    Args:
        model: Of the same network; tokens may differ. New ones keep their weights.
        initial: What to take.
    """
    known = {symbol: row for row, symbol in enumerate(initial.tokens.symbols)}
    symbols = model.tokens.symbols
    both = [row for row, symbol in enumerate(symbols) if symbol in known]
    rows = [known[symbols[row]] for row in both]
    weights = initial.network.state_dict()
    # The tensors of a state_dict share their memory with the weights.
    for name, weight in model.network.state_dict().items():
        if name.startswith("linear."):
            weight[both] = weights[name][rows]
        else:
            weight.copy_(weights[name])
    if len(both) == len(symbols):
        return f"--init: all {len(symbols)} tokens are the initial model's"
    new = [_shown(symbol) for symbol in symbols if symbol not in known]
    return (
        f"--init: {len(both)} of {len(symbols)} tokens are the initial model's, "
        f"{len(new)} are new: {' '.join(new[:_MOST_NAMED])}"
        f"{f' and {len(new) - _MOST_NAMED} more' if len(new) > _MOST_NAMED else ''}"
    )


def _find(path: Path) -> Path:
    try:
        return find_model(path, weights=True)
    except ModelError as error:
        more = "" if path.exists() else "; --resume needs it again, to know it"
        raise ModelError(f"--init {error}{more}") from None


def _shown(symbol: str) -> str:
    """Return a token as a list separated by spaces can hold it."""
    return repr(symbol) if symbol.isspace() else printable(symbol)


def _fingerprint(model: "AcousticModel") -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(model.tokens.to_dict()).encode())
    for name, tensor in sorted(kept_tensors(model).items()):
        digest.update(f"{name}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()

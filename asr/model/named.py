"""Models that come with the package: they go by a name instead of a path."""

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "starter"


@dataclass(frozen=True)
class NamedModel:
    """A model that is there after installation; the name goes before a path's.

    Attributes:
        name: What it goes by.
        exported: To transcribe with, without torch (``asr export``, int8).
        weights: To train on from, in float16.
        lm: Language model that its decoding settings were tuned with.
        card: What it was trained on, and how well it does.
    """

    name: str
    exported: Path
    weights: Path
    lm: Path
    card: Path


#: What ``asr transcribe`` takes where no model is named; recipes/starter made it.
STARTER = NamedModel(
    name="starter",
    exported=_FOLDER / "starter.onnx",
    weights=_FOLDER / "starter.safetensors",
    lm=_FOLDER / "starter.lm",
    card=_FOLDER / "README.md",
)
NAMED = (STARTER,)


def named_model(path: Path) -> NamedModel | None:
    """Return the model that goes by what a user wrote for a path, if one does."""
    return next((model for model in NAMED if path == Path(model.name)), None)

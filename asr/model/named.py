"""Models that come with the package: they go by a name instead of a path."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NamedModel:
    """A model that is there after installation.

    Attributes:
        name: What it goes by.
        folder: Where its files are; stands for it too, whatever lies in the current
            folder.
    """

    name: str
    folder: Path

    @property
    def exported(self) -> Path:
        """To transcribe with, without torch (``asr export``, int8)."""
        return self.folder / f"{self.name}.onnx"

    @property
    def weights(self) -> Path:
        """To train on from, in float16."""
        return self.folder / f"{self.name}.safetensors"

    @property
    def lm(self) -> Path:
        """Language model that its decoding settings were tuned with."""
        return self.folder / f"{self.name}.lm"

    @property
    def card(self) -> Path:
        """What it was trained on, and how well it does."""
        return self.folder / "README.md"


#: What ``asr transcribe`` takes where no model is named; recipes/starter made it.
STARTER = NamedModel("starter", Path(__file__).parents[1] / "starter")
NAMED = (STARTER,)


def named_model(path: Path) -> NamedModel | None:
    """Return the model that goes by what a user wrote for a path, if one does."""
    return next((m for m in NAMED if path in (Path(m.name), m.folder)), None)

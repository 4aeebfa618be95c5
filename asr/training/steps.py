"""Steps: gradients of a few batches added up, clipped, and taken or skipped."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from asr.model.acoustic import AcousticModel
from asr.training import objective
from asr.training.averages import MovingAverage
from asr.training.batches import Batch
from asr.training.gradients import Gradients, Norms
from asr.training.memory import explained
from asr.training.objective import Losses
from asr.training.optimisers import make_optimizer
from asr.training.processes import Processes
from asr.training.progress import Scaling
from asr.training.suspects import explain

#: What the loss is scaled by at first in float16, as PyTorch's ``GradScaler`` does.
_FLOAT16_SCALE = 2.0**16


@dataclass(frozen=True)
class Step:
    """What came of a step.

    Attributes:
        loss: CTC loss, nats a token.
        parts: What else the loss is made of, likewise.
        norms: Of the gradient.
        audio: Seconds of audio.
        taken: Whether it was; not where a gradient is not finite.
        problem: Why not, in words; "" where float16 ran over, which it now and then
            does.
    """

    loss: float
    norms: Norms
    audio: float
    parts: dict[str, float] = field(default_factory=dict)
    taken: bool = True
    problem: str = ""


def first_scaling(model: AcousticModel) -> Scaling:
    """Return how a training's loss is scaled at first: in float16 on a GPU alone."""
    half = model.config.train.precision == "float16"
    if half and model.device.type == "cuda":
        return Scaling(_FLOAT16_SCALE, enabled=True)
    return Scaling()


class Steps:
    """Takes the steps of a training.

    Attributes:
        optimizer: The optimiser.
        average: The moving average of the weights, where there is to be one.
    """

    def __init__(self, model: AcousticModel, processes: Processes) -> None:
        self.model = model
        self.config = model.config.train
        self.processes = processes
        self.gradients = Gradients(model.network)
        self.optimizer = make_optimizer(self.config, model)
        self.average = (
            MovingAverage(model.network, self.config.ema) if self.config.ema else None
        )

    def take(
        self,
        batches: Iterable[Batch],
        *,
        tokens: int,
        epoch: int,
        rate: float,
        scaling: Scaling,
        steps: int,
    ) -> Step:
        """Take a step, or skip it if its loss or gradient is not finite.

        Args:
            batches: This process's share of the step's batches.
            tokens: Target tokens of all shares of all its batches.
            epoch: What the augmentation hangs on.
            rate: Learning rate.
            scaling: Of the loss, in float16; changed by what comes of it.
            steps: Steps taken before.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        seen: list[tuple[Batch, Tensor]] = []
        sums = dict.fromkeys(["ctc", "audio", *self._part_names()], 0.0)
        for batch in batches:
            with explained(batch, self.model.config):
                losses = objective.batch_losses(self.model, batch, epoch)
                total = losses.total.sum() / tokens
                (total * scaling.scale).backward()  # type: ignore[no-untyped-call]
            seen.append((batch, losses.ctc.detach()))
            _add(sums, losses, batch)
        sums = self._over_processes(sums)
        norms = self._clip(scaling.scale)
        loss = sums["ctc"] / tokens
        parts = {name: sums[name] / tokens for name in self._part_names()}
        finite = math.isfinite(norms.total)
        if math.isfinite(loss) and not finite and scaling.lower():
            return Step(loss, norms, sums["audio"], parts, taken=False)
        for name, value in (("loss", loss), ("gradient", norms.total)):
            if not math.isfinite(value):
                # It would carry what is not finite into every weight.
                why = f"the {name} is {value} for {self._blamed(seen)}"
                return Step(loss, norms, sums["audio"], parts, False, why)
        self.optimizer.step()
        scaling.count()
        if self.average is not None:
            self.average.update(steps + 1)
        return Step(loss, norms, sums["audio"], parts)

    def _part_names(self) -> list[str]:
        wanted = {
            "intermediate": self.config.intermediate,
            "consistency": self.config.consistency,
        }
        return [name for name, weight in wanted.items() if weight]

    def _over_processes(self, sums: dict[str, float]) -> dict[str, float]:
        values = torch.tensor(
            list(sums.values()), dtype=torch.float64, device=self.model.device
        )
        self.processes.sum([values])
        return dict(zip(sums, values.tolist(), strict=True))

    def _clip(self, scale: float) -> Norms:
        """Sum the gradient over the processes, undo its scale, clip it."""
        weights = [w for w in self.gradients.weights if w.requires_grad]
        if self.processes.size > 1:
            for weight in weights:
                if weight.grad is None:  # it had no share of this step
                    weight.grad = torch.zeros_like(weight)
        found = [w.grad for w in weights if w.grad is not None]
        self.processes.sum(found)
        if scale != 1:
            torch._foreach_mul_(found, 1 / scale)
        return self.gradients.clip(self.config.clip or math.inf)

    def _blamed(self, seen: list[tuple[Batch, Tensor]]) -> str:
        """Return who is to blame, of all processes' batches."""
        rate = self.model.config.features.sample_rate
        bad = [pair for pair in seen if not pair[1].isfinite().all()] or seen
        mine = [
            explain(
                batch, losses, self.model.output_lengths(batch.sample_lengths), rate
            )
            for batch, losses in bad
        ]
        # Of processes whose losses are finite nobody is to blame if another's is not.
        shares = self.processes.gather((bad is not seen, mine))
        guilty = [found for known, found in shares if known] or [f for _, f in shares]
        return "; ".join(text for found in guilty for text in found)


def _add(sums: dict[str, float], losses: Losses, batch: Batch) -> None:
    sums["ctc"] += losses.ctc.sum().item()
    sums["audio"] += batch.seconds
    for name, part in losses.parts.items():
        sums[name] += part.sum().item()

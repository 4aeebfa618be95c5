"""The lowest layers kept as another model has them: ``train.freeze``.

They are what carries over best from one language, voice or microphone to another, and
what little data spoils most easily. Weights that are frozen have no gradient, which is
what optimisers pass over: they are neither moved nor decayed, and have no moments until
they are trained. They stay in the optimiser's lists, whose numbers states go by.

Frozen layers are run as in evaluation, so what the trained ones see is what they will
see when they transcribe. Only the outputs of the highest are dropped out, as dropout is
for those who learn from them.

Source: Yosinski et al. (2014), "How transferable are features in deep neural networks?"
"""

from asr.config import TrainConfig
from asr.model.acoustic import AcousticModel


def freeze(model: AcousticModel, config: TrainConfig, epoch: int) -> None:
    """Have an epoch, counted from 1, train what it is to train and nothing else."""
    thawed = 0 < config.freeze_epochs < epoch
    frozen = 0 if thawed else config.freeze
    network = model.network
    network.requires_grad_(True)
    network.recurrent.frozen = frozen
    if frozen:
        network.subsampling.requires_grad_(False)
        for modules in (network.recurrent.norms, network.recurrent.layers):
            for module in modules[:frozen]:
                module.requires_grad_(False)


def describe_frozen(model: AcousticModel, config: TrainConfig) -> str:
    """Return how much is not trained at first, in a line."""
    freeze(model, config, 1)
    weights = sum(w.numel() for w in model.parameters() if not w.requires_grad)
    when = (
        f" in the first {config.freeze_epochs} epochs" if config.freeze_epochs else ""
    )
    return (
        f"train.freeze = {config.freeze}: {weights:,} of {model.num_parameters():,} "
        f"weights stay as they are{when}"
    )

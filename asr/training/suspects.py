"""Why a batch's loss or gradient is not finite: utterance by utterance."""

from torch import Tensor

from asr.errors import some
from asr.lengths import frames_needed
from asr.training.batches import Batch

#: Full scale is 1; a recording in floating point that is so much louder is a mistake.
_LOUDEST = 100.0


def explain(batch: Batch, losses: Tensor, frames: Tensor, sample_rate: int) -> str:
    """Return the utterances to blame, each with the reason, for a message.

    These are the ones whose loss is not finite. Where the gradient alone is not, they
    are those of which something can be said, or the whole batch.

    Args:
        batch: What was trained on.
        losses: CTC loss of each utterance, shape (B,).
        frames: Output frames of each, shape (B,).
        sample_rate: Hz.
    """
    finite = losses.detach().isfinite().tolist()
    known = {
        row: _reason(batch, row, int(frames[row]), sample_rate)
        for row in range(len(batch.ids))
    }
    blamed = [row for row in known if not finite[row]]
    blamed = blamed or [row for row in known if known[row]] or list(known)
    return some(
        f"{batch.ids[row]} ({known[row] or 'is its text right?'})" for row in blamed
    )


def _reason(batch: Batch, row: int, frames: int, sample_rate: int) -> str | None:
    """Return what is wrong with an utterance; None if that cannot be seen."""
    length = int(batch.sample_lengths[row])
    samples = batch.samples[row, :length]
    if not samples.isfinite().all():
        return "holds samples that are not finite numbers"
    if samples.min() == samples.max():
        return f"silent: every sample is {float(samples[0]):g}"
    peak = float(samples.abs().max())
    if peak > _LOUDEST:
        return f"samples up to {peak:.3g}, where full scale is 1"
    targets = batch.targets[row, : int(batch.target_lengths[row])].tolist()
    needed = frames_needed(targets)
    if needed > frames:
        return (
            f"infeasible: its text needs {needed} output frames, its "
            f"{length / sample_rate:.2f} s give {frames}"
        )
    return None

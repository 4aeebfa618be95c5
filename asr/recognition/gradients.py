"""How far a recurrent network's memory reaches, and how gradients fare over its depth.

The loss at output frame t is -log p_t(y_t), y the most probable path that spells the
utterance's own transcript. Its gradient with respect to what the recurrent stack
receives at frame t - k tells how much that frame matters k frames later: where its norm
falls exponentially with k, the network cannot learn what is further apart.

Shape letters: B copies of an utterance, T' output frames, D input size of the stack,
K reach in output frames.

Source: Bengio, Simard and Frasconi (1994), Learning long-term dependencies with
gradient descent is difficult; Pascanu, Mikolov and Bengio (2013), On the difficulty of
training recurrent neural networks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss

from asr.audio import read_audio
from asr.augment import generator
from asr.decoding.alignment import align
from asr.errors import AlignmentError, AudioError, TokenError
from asr.features import pad_samples
from asr.manifest import Utterance
from asr.model.acoustic import AcousticModel
from asr.recognition.posteriors import Failure
from asr.text import normalise

Floats = npt.NDArray[np.float64]

#: Output frames of an utterance that a gradient is taken of. Neighbours are alike:
#: more of them cost time and say little.
FRAMES = 8


@dataclass(frozen=True)
class Gradients:
    """Norms of the gradients of one utterance's losses.

    Attributes:
        id: The utterance.
        reach: Of the loss at each chosen output frame t, with respect to the stack's
            input at frame t - k, k from -K to K; NaN where the utterance has no such
            frame. Shape (frames, 2 K + 1).
        loss: The CTC loss of the whole utterance, nats.
        weights: Norm of its gradient with respect to all weights of each recurrent
            layer, the lowest first.
        inputs: The same with respect to what each layer receives, over all frames,
            before its normalisation and with what goes around it.
    """

    id: str
    reach: Floats
    loss: float
    weights: tuple[float, ...]
    inputs: tuple[float, ...]


def choose_utterances(utterances: Sequence[Utterance], most: int) -> list[Utterance]:
    """Return so many utterances at most, drawn by their ids, in their order.

    A manifest's first ones are often of one speaker. The draw depends on nothing else,
    so models are compared on the same.
    """
    draws = {u.id: generator("gradients", u.id).random() for u in utterances}
    kept = set(sorted(draws, key=lambda name: draws[name])[:most])
    return [utterance for utterance in utterances if utterance.id in kept]


def measure_gradients(
    model: AcousticModel, utterances: Iterable[Utterance], reach: int
) -> Iterator[Gradients | Failure]:
    """Yield the gradients of each utterance, or why there are none, in order.

    Args:
        model: On the CPU and in evaluation mode, as ``load_model`` returns it.
        utterances: With their texts.
        reach: K, the output frames to look back and ahead.
    """
    for utterance in utterances:
        if utterance.text is None:
            yield Failure(utterance.id, f"{utterance.id}: has no text to align")
            continue
        try:
            yield _measure(model, utterance, utterance.text, reach)
        except TokenError as error:
            reason = f"{error}; spell the text with what the model was trained on"
            yield Failure(utterance.id, f"{utterance.id}: {reason}")
        except AlignmentError as error:
            yield Failure(utterance.id, f"{utterance.id}: {error}")
        except AudioError as error:
            yield Failure(utterance.id, str(error))


def choose_frames(name: str, length: int, most: int = FRAMES) -> list[int]:
    """Return frames in the middle half of an utterance, drawn by its id, ascending.

    Near the ends there would be little to look back or ahead at. The draw is by id
    alone, so that models are compared in the same frames.

    Args:
        name: The utterance's id.
        length: Its output frames, 1 or more.
        most: How many frames.
    """
    middle = np.arange(length // 4, length - length // 4)
    drawn = generator("gradients", name).permutation(middle)[:most]
    return sorted(int(frame) for frame in drawn)


def frame_gradients(
    model: AcousticModel,
    inputs: Tensor,
    path: Sequence[int],
    frames: Sequence[int],
) -> Floats:
    """Return the norm of each frame's loss's gradient at each input frame.

    The utterance is repeated along the batch, a copy for each frame: all gradients come
    of one backward pass, as copies know nothing of each other.

    Args:
        model: In evaluation mode.
        inputs: What the recurrent stack receives, shape (1, T', D).
        path: Token of each output frame, blank included, T' of them.
        frames: Frames whose losses are taken, B of them.

    Returns:
        Norms over D, shape (B, T').
    """
    count = len(frames)
    copies = inputs.detach().expand(count, -1, -1).clone().requires_grad_()
    lengths = torch.full((count,), inputs.shape[1])
    log_probs = model.network.log_probs(copies, lengths)
    tokens = torch.tensor([path[frame] for frame in frames])
    losses = -log_probs[torch.arange(count), torch.tensor(frames), tokens]
    [found] = torch.autograd.grad(losses.sum(), [copies])
    # In float64: squares of what has vanished would be 0 in float32.
    norms: Floats = found.double().norm(dim=2).numpy()
    return norms


def depth_gradients(
    model: AcousticModel, inputs: Tensor, targets: Sequence[int]
) -> tuple[float, list[float], list[float]]:
    """Return the CTC loss of an utterance, and its gradient's norms by recurrent layer.

    Args:
        model: In evaluation mode.
        inputs: What the recurrent stack receives, shape (1, T', D).
        targets: Token ids of its text, without blanks.

    Returns:
        The loss, nats; for each layer, the norm over all of its weights, and that over
        all frames of its input.
    """
    stack = model.network.recurrent
    received: list[Tensor] = []

    def keep(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        received.append(arguments[0])

    # A layer's normalisation is the first to see what it receives.
    hooks = [norm.register_forward_pre_hook(keep) for norm in stack.norms]
    try:
        source = inputs.detach().clone().requires_grad_()
        lengths = torch.tensor([inputs.shape[1]])
        log_probs = model.network.log_probs(source, lengths)
    finally:
        for hook in hooks:
            hook.remove()
    loss = ctc_loss(
        log_probs.transpose(0, 1),  # (1, T', V) -> (T', 1, V)
        torch.tensor([targets], dtype=torch.long),
        lengths,
        torch.tensor([len(targets)]),
        blank=0,
        reduction="sum",
    )
    weights = [list(layer.parameters()) for layer in stack.layers]
    flat = [weight for layer in weights for weight in layer]
    found = iter(torch.autograd.grad(loss, [*received, *flat]))
    by_input = [_norm([next(found)]) for _ in received]
    by_weight = [_norm([next(found) for _ in layer]) for layer in weights]
    return float(loss.detach()), by_weight, by_input


def _measure(
    model: AcousticModel, utterance: Utterance, text: str, reach: int
) -> Gradients:
    targets = model.tokens.encode(normalise(text, model.config.text))
    samples = read_audio(
        utterance.audio,
        model.config.features.sample_rate,
        offset=utterance.offset,
        duration=utterance.duration,
    )
    with torch.no_grad():
        features, lengths = model.features(*pad_samples([samples]))
        inputs = model.network.subsampling(features, lengths)
        lengths = model.network.output_lengths(lengths)
        log_probs = model.network.log_probs(inputs, lengths)[0].numpy()
    if not np.isfinite(log_probs).all():
        raise AlignmentError("the network's outputs are not finite: do states explode?")
    path = _path(log_probs, targets)
    frames = choose_frames(utterance.id, len(path))
    norms = frame_gradients(model, inputs, path, frames)
    loss, weights, by_input = depth_gradients(model, inputs, targets)
    if not np.isfinite([loss, *weights, *by_input, *norms.flat]).all():
        raise AlignmentError("its gradient is not finite: does it explode?")
    return Gradients(
        id=utterance.id,
        reach=_by_distance(norms, frames, reach),
        loss=loss,
        weights=tuple(weights),
        inputs=tuple(by_input),
    )


def _path(log_probs: npt.NDArray[np.float32], targets: Sequence[int]) -> list[int]:
    """Return the token of each frame on the best path that spells the targets."""
    spans = align(log_probs, targets)
    path = [0] * len(log_probs)
    for target, first, last in zip(targets, spans.first, spans.last, strict=True):
        path[first : last + 1] = [target] * (last + 1 - first)
    return path


def _by_distance(norms: Floats, frames: Sequence[int], reach: int) -> Floats:
    """Return norms by input frame, (frames, T'), by distance: (frames, 2 K + 1)."""
    size = norms.shape[1]
    found = np.full((len(frames), 2 * reach + 1), np.nan)
    distances = np.arange(-reach, reach + 1)
    for row, (frame, values) in enumerate(zip(frames, norms, strict=True)):
        sources = frame - distances
        inside = (sources >= 0) & (sources < size)
        found[row, inside] = values[sources[inside]]
    return found


def _norm(tensors: Sequence[Tensor]) -> float:
    return float(torch.stack([t.double().square().sum() for t in tensors]).sum().sqrt())

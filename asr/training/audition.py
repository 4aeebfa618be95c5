"""An utterance as training will hear it: sounds, pictures, and a page with both."""

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from asr.audio import Samples, audio_info, read_audio
from asr.augment import generator
from asr.augment.effects import describe
from asr.augment.recordings import open_recordings
from asr.augment.spectrogram import Masks, draw_masks, spec_augment
from asr.config import AugmentConfig, Config, FeatureConfig
from asr.errors import ConfigError, FileError, ManifestError, TrainingError, some
from asr.features import Features, pad_samples
from asr.files import check_writable, file_name, replacing, require_apart
from asr.manifest import Utterance, ids_from_paths, is_manifest, read_manifest
from asr.pages.pictures import data_uri, shaded
from asr.pages.template import write_filled
from asr.text import normalise
from asr.training.batches import plan_example, read_planned
from asr.training.examples import Example

PAGE_NAME = "index.html"
#: Deviations from the mean between which a picture goes from dark to light.
_DARK, _LIGHT = -2.5, 2.5
_TEMPLATE = Path(__file__).with_name("audition.html")


@dataclass(frozen=True)
class Take:
    """One example, or the original.

    Attributes:
        name: Of its files, without suffix.
        drawn: A few words on each thing that was done to it.
        samples: Shape (N,).
        seconds: Its length.
        picture: PNG of its features, a pixel each, with SpecAugment's masks.
        frames: Width of the picture in pixels.
    """

    name: str
    drawn: list[str]
    samples: Samples
    seconds: float
    picture: bytes
    frames: int


def find_utterance(file: Path, name: str | None) -> Utterance:
    """Return the utterance of that id in a manifest, or a recording as one.

    Raises:
        ManifestError: If the manifest cannot be read or has no such utterance, no
            utterance of several is named, or one is named and the file no manifest.
        AudioError: If the recording cannot be read.
    """
    if not is_manifest(file):
        if name is not None:
            raise ManifestError(f"{file}: is no manifest (.jsonl); leave out --id")
        seconds = audio_info(file).duration
        return Utterance(id=ids_from_paths([file])[0], audio=file, duration=seconds)
    listed = {utterance.id: utterance for utterance in read_manifest(file)}
    if not listed:
        raise ManifestError(f"{file}: holds no utterance")
    if name is None and len(listed) > 1:
        raise ManifestError(
            f"{file}: holds {len(listed)} utterances; name one with --id: "
            f"{some(listed, 3)}"
        )
    utterance = listed.get(name or next(iter(listed)))
    if utterance is None:
        raise ManifestError(
            f"{file}: has no utterance {name}; name another with --id: "
            f"{some(listed, 3)}"
        )
    if utterance.duration is None:
        seconds = audio_info(utterance.audio).duration - utterance.offset
        return replace(utterance, duration=seconds)
    return utterance


def write_examples(
    utterance: Utterance,
    out: Path,
    config: Config,
    *,
    number: int,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write what the first epochs of a training make of an utterance; return the page.

    ``out`` gets ``<id>-1.wav``, 16 bits at the rate of the features, and
    ``<id>-1.png`` of the first epoch, and so on, and ``index.html``, which has all of
    it and the original.

    Args:
        utterance: Its duration must be known.
        out: The folder.
        config: All settings; its seed is the training's.
        number: How many epochs.
        overwrite: Replace what is in ``out``.
        tell: Takes a line on each example.

    Raises:
        ConfigError: If no augmentation is switched on.
        FileError: If something is in ``out`` already or it cannot be written.
        AudioError: If the utterance, noise or a room cannot be read.
        TrainingError: If the utterance is too long for a batch.
    """
    _require_something(config.augment)
    example = _example(utterance, config)
    stem = file_name(utterance.id)
    names = [f"{stem}-{n}" for n in range(1, number + 1)]
    sounds, pictures = ([out / f"{n}.{kind}" for n in names] for kind in ("wav", "png"))
    _require_free([out / PAGE_NAME, *sounds, *pictures], utterance, overwrite)
    recordings = open_recordings(config.augment)
    rate = config.features.sample_rate
    original = _take(
        stem,
        read_audio(
            utterance.audio,
            rate,
            offset=utterance.offset,
            duration=utterance.duration,
        ),
        config,
    )
    takes = []
    for epoch, name in enumerate(names, start=1):
        planned = plan_example(example, config, epoch, recordings)
        samples = read_planned(planned, rate)
        drawn = describe(planned.effects, len(samples) / rate)
        if planned.speed != 1.0:
            drawn.insert(0, f"speed {planned.speed:g}")
        key = (config.seed, epoch, utterance.id, "mask")
        takes.append(_take(name, samples, config, drawn, key))
    for take, sound, picture in zip(takes, sounds, pictures, strict=True):
        with replacing(sound) as temporary:
            temporary.write_bytes(_encode(take.samples, rate, "WAV"))
        with replacing(picture) as temporary:
            temporary.write_bytes(take.picture)
        tell(f"{sound.name}: {', '.join(take.drawn) or 'nothing drawn'}")
    _write_page(out / PAGE_NAME, utterance, config, [original, *takes])
    return out / PAGE_NAME


def _require_something(config: AugmentConfig) -> None:
    probabilities = (
        *(config.rir_probability, config.noise_probability),
        *(config.telephone_probability, config.gain_probability),
    )
    masks = config.freq_masks + config.time_masks
    if config.speeds == (1.0,) and not any(probabilities) and not masks:
        raise ConfigError(
            "no augmentation is switched on; set augment.noise_probability or another "
            "of [augment]"
        )


def _example(utterance: Utterance, config: Config) -> Example:
    """Return the utterance as training has it, but for its tokens' numbers."""
    seconds = utterance.duration or 0.0
    slowest = seconds / min(1.0, *config.augment.speeds)
    if slowest > config.train.batch_seconds:
        raise TrainingError(
            f"{utterance.audio}: lasts {seconds:.1f} s, which is no utterance for a "
            f"training with train.batch_seconds = {config.train.batch_seconds:g}; cut "
            "it, or name an utterance of a manifest with --id"
        )
    text = normalise(utterance.text or "", config.text)
    # To CTC characters are as long as their tokens; subwords are known to training.
    targets = tuple(map(ord, text)) if config.tokens.unit == "char" else ()
    return Example(utterance, text, targets, seconds)


def _require_free(paths: list[Path], utterance: Utterance, overwrite: bool) -> None:
    folder = paths[0].parent
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder}: is a file; name a folder for the examples")
    for path in paths:
        if path.exists() and not overwrite:
            raise FileError(
                f"{path}: is there already; replace it with --overwrite, or name "
                "another folder"
            )
        require_apart(path, [utterance.audio])
    check_writable(paths[0])


def _take(
    name: str,
    samples: Samples,
    config: Config,
    drawn: list[str] | None = None,
    key: tuple[object, ...] | None = None,
) -> Take:
    """Return a take; masked where a key to draw masks with is given."""
    drawn = list(drawn or ())
    peak = float(np.abs(samples).max())
    features, masks = _features(samples, config, key)
    drawn += _mask_words(masks, config.features)
    if peak > 1:
        samples = samples / np.float32(peak)
        drawn.append(f"here {20 * np.log10(peak):.1f} dB quieter, so as not to clip")
    picture = shaded((features - _DARK) / (_LIGHT - _DARK))
    seconds = len(samples) / config.features.sample_rate
    return Take(name, drawn, samples, seconds, picture, len(features))


@torch.no_grad()
def _features(
    samples: Samples, config: Config, key: tuple[object, ...] | None
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], Masks]:
    """Return normalised features as the network gets them, (T, F), and their masks.

    They are normalised by the utterance whatever the settings say, since the mean and
    deviation of a training set are not known here.
    """
    computed = Features(replace(config.features, cmvn="utterance"))
    features, lengths = computed(*pad_samples([samples]))
    if key is None:
        return features[0].numpy(), Masks((), ())
    shift = config.features.frame_shift
    size = int(lengths[0]), features.shape[2]
    masks = draw_masks(*size, config.augment, shift, generator(*key))
    masked = spec_augment(features, lengths, config.augment, shift, [generator(*key)])
    return masked[0].numpy(), masks


def _mask_words(masks: Masks, config: FeatureConfig) -> list[str]:
    shift, kind = config.frame_shift, "bands" if config.kind == "log-mel" else "cepstra"
    bands = [f"{first}–{end - 1}" for first, end in sorted(masks.bands) if end > first]
    times = [
        f"{first * shift:.2f}–{end * shift:.2f} s"
        for first, end in sorted(masks.times)
        if end > first
    ]
    words = [f"masked {kind} {', '.join(bands)}"] if bands else []
    return words + ([f"masked time {', '.join(times)}"] if times else [])


def _encode(samples: Samples, rate: int, kind: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "PCM_16", format=kind)
    return file.getvalue()


def _write_page(
    path: Path, utterance: Utterance, config: Config, takes: list[Take]
) -> None:
    rate = config.features.sample_rate
    longest = max(take.frames for take in takes)
    rows = [
        {
            "name": take.name,
            "drawn": take.drawn,
            "seconds": take.seconds,
            # FLAC, since MP3 would hide what is to be heard.
            "audio": data_uri("audio/flac", _encode(take.samples, rate, "FLAC")),
            "picture": data_uri("image/png", take.picture),
            "width": 100 * take.frames / longest,
        }
        for take in takes
    ]
    count = len(takes) - 1
    context = {
        "title": "Augmentation",
        "headline": f"{count} example{'' if count == 1 else 's'} of {utterance.id}",
        "text": utterance.text,
        "original": rows[0],
        "takes": rows[1:],
        "settings": _toml(config.augment),
        "config": config,
    }
    write_filled(path, _TEMPLATE, context)


def _toml(config: AugmentConfig) -> str:
    """Return the section, a line a setting: what tomli_w makes of lists is long."""
    rows = [f"{key} = {_value(value)}" for key, value in asdict(config).items()]
    return "\n".join(["[augment]", *rows])


def _value(value: object) -> str:
    # TOML writes numbers, strings and lists of them as JSON does.
    return json.dumps(value, ensure_ascii=False)

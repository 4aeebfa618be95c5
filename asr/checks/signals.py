"""Checks of what was recorded."""

import math
from collections.abc import Iterator
from pathlib import Path

from asr.checks.facts import Signal
from asr.checks.findings import Finding, Item, Subject

#: dBFS. The loudest 25 ms of speech at arm's length lie above -30; below the last, what
#: 16 bits leave of it can hardly be heard; below the middle one it must stand out of
#: the noise, by so many dB, to be more than a muted input's hiss.
QUIET, SILENT, INAUDIBLE = -45.0, -65.0, -78.0
CONTRAST = 10.0
#: Share of samples in flat tops, and how many: one flat top is no clipping, as coarse
#: samples (8 bits) have some by chance.
CLIPPED, CLIPPED_SAMPLES = 0.001, 12
#: Of full scale, and of the signal's own level in dB: an offset that matters.
DC, DC_BELOW_LEVEL = 0.01, 20.0
#: dBFS, and dB below the loudest: a channel without a signal.
DEAD, DEAD_BELOW = -65.0, 30.0
#: Share of the model's band (half its sample rate) that a recording should fill.
BAND = 0.62


def silence(subject: Subject) -> Iterator[Finding]:
    """Yield utterances in which nothing, or hardly anything, can be heard."""
    for item in subject.items:
        if item.signal is None or item.signal.nonfinite:
            continue
        level = item.signal.speech
        if is_silent(item.signal):
            loudest = f"loudest part {level:.0f} dBFS"
            message = loudest if level > -199 else "digital silence"
            yield item.finding("signal-silent", message, value=level)
        elif level < QUIET:
            message = f"loudest part {level:.0f} dBFS"
            yield item.finding("signal-quiet", message, value=level)


def is_silent(signal: Signal) -> bool:
    """Return whether there is nothing to be heard in a recording."""
    if signal.speech < SILENT:
        return signal.speech < INAUDIBLE or signal.speech - signal.noise < CONTRAST
    return False


def not_finite(subject: Subject) -> Iterator[Finding]:
    """Yield utterances with NaN or infinite samples."""
    for item in subject.items:
        count = item.signal.nonfinite if item.signal else 0
        if count:
            message = (
                f"{count} of its samples {'are' if count > 1 else 'is'} not finite"
            )
            yield item.finding("signal-nonfinite", message, value=count)


def clipping(subject: Subject) -> Iterator[Finding]:
    """Yield utterances whose loudest moments are flat."""
    for item, signal in _audible(subject):
        samples = signal.clipped * signal.seconds * item.recording.sample_rate
        if signal.clipped > CLIPPED and samples >= CLIPPED_SAMPLES:
            message = f"{signal.clipped:.2%} of its samples, at {signal.peak:.1f} dBFS"
            yield item.finding("signal-clipped", message, value=signal.clipped)


def dc_offset(subject: Subject) -> Iterator[Finding]:
    """Yield utterances whose samples do not average zero."""
    for item, signal in _audible(subject):
        if abs(signal.dc) > DC and _decibels(signal.dc) > signal.level - DC_BELOW_LEVEL:
            message = f"mean {signal.dc:+.1%} of full scale"
            yield item.finding("signal-dc", message, value=signal.dc)


def dead_channel(subject: Subject) -> Iterator[Finding]:
    """Yield utterances of recordings of several channels, one of which has no signal.

    A channel that is silent here and not elsewhere in the recording is not dead: its
    speaker listens.
    """
    live: dict[Path, set[int]] = {}
    for item, signal in _audible(subject):
        channels = live.setdefault(item.utterance.audio, set())
        channels |= set(range(len(signal.channels))) - _silent_channels(signal)
    for item, signal in _audible(subject):
        dead = sorted(_silent_channels(signal) - live[item.utterance.audio])
        if dead:
            names = ", ".join(str(n + 1) for n in dead)
            message = f"channel {names} of {len(signal.channels)} is silent"
            value = [n + 1 for n in dead]
            yield item.finding("signal-channel", message, value=value)


def _silent_channels(signal: Signal) -> set[int]:
    loudest = max(signal.channels)
    return {
        n
        for n, level in enumerate(signal.channels)
        if level < DEAD and level < loudest - DEAD_BELOW
    }


def low_rate(subject: Subject) -> Iterator[Finding]:
    """Yield utterances recorded at a lower rate than the model's."""
    wanted = subject.config.features.sample_rate
    for item in subject.items:
        rate = item.recording.sample_rate
        if 0 < rate < wanted and not item.broken:
            message = f"{rate} Hz, the model has {wanted}"
            yield item.finding("signal-rate", message, value=rate)


def narrow_band(subject: Subject) -> Iterator[Finding]:
    """Yield utterances whose spectrum ends far below what their rate could hold."""
    wanted = subject.config.features.sample_rate
    for item, signal in _audible(subject):
        high_enough = item.recording.sample_rate >= wanted
        if high_enough and signal.bandwidth < BAND * wanted / 2:
            message = (
                f"nothing above {signal.bandwidth:.0f} Hz at a rate of "
                f"{item.recording.sample_rate} Hz"
            )
            yield item.finding("signal-bandwidth", message, value=signal.bandwidth)


def _audible(subject: Subject) -> Iterator[tuple[Item, Signal]]:
    for item in subject.items:
        if item.signal is not None and not is_silent(item.signal):
            yield item, item.signal


def _decibels(value: float) -> float:
    return 20 * math.log10(abs(value))

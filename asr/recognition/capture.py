"""Audio as it comes, from a microphone or a pipe, to what hears it.

A thread, or the audio system's, waits for it, so that it is known when it was there.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio import Samples
from asr.errors import AudioError, MissingPackageError
from asr.recognition.listening import Listener, Update
from asr.recognition.pcm import BLOCK, is_recorded, open_bytes, read_stream
from asr.recognition.sources import STDIN

#: Seconds of audio that may wait: a pipe then waits too, a microphone's is lost.
WAITING = 10.0
#: Seconds after which it is looked whether to stop.
_LOOK = 0.1


class Microphone:
    """The sound of a microphone; open it to hear it.

    Args:
        device: Its number, or a part of its name; None takes the system's own.

    Raises:
        MissingPackageError: If sounddevice, or PortAudio below it, is not there.
        AudioError: If there is no such microphone.
    """

    def __init__(self, device: str | None = None) -> None:
        self._sounddevice = _load_sounddevice()
        self._device = int(device) if device and device.isdecimal() else device
        try:
            found = self._sounddevice.query_devices(self._device, "input")
        except (ValueError, self._sounddevice.PortAudioError) as error:
            raise AudioError(self._missing(error)) from None
        self.name = str(found["name"])
        self.sample_rate = round(found["default_samplerate"])

    def _missing(self, error: Exception) -> str:
        names = [
            f"{number} {device['name']}"
            for number, device in enumerate(self._sounddevice.query_devices())
            if device["max_input_channels"]
        ]
        there = "there are: " + ", ".join(names) if names else "there is none"
        reason = " ".join(str(error).split())
        asked = (
            "microphone" if self._device is None else f"--device-name {self._device}"
        )
        return f"{asked}: {reason}; {there}; or pipe audio in: --input -"

    def open(self, take: Callable[[Samples], object]) -> Any:
        """Return what hears it as long as it is entered, and gives away blocks.

        Raises:
            AudioError: If it is in use, or cannot be heard.
        """

        def call(samples: Samples, _frames: int, _time: object, _flags: object) -> None:
            take(samples[:, 0].copy())

        try:
            return self._sounddevice.InputStream(
                samplerate=self.sample_rate,
                blocksize=round(BLOCK * self.sample_rate),
                device=self._device,
                channels=1,
                dtype="float32",
                callback=call,
            )
        except self._sounddevice.PortAudioError as error:
            raise AudioError(self._missing(error)) from None


def _load_sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise MissingPackageError(
            "asr listen: a microphone needs sounddevice; pip install "
            "'recurrent-asr[listen]', or pipe audio in: --input -"
        ) from None
    except OSError:
        raise MissingPackageError(
            "asr listen: a microphone needs the PortAudio library, which sounddevice "
            "did not find; apt install libportaudio2, or pipe audio in: --input -"
        ) from None
    return sounddevice


#: Samples, and when the last of them was there; None where they were all along.
Arrival = tuple[Samples, float | None]


class Arrivals:
    """Blocks that wait to be heard, each with the time it came.

    Args:
        clock: Seconds.
        tell: Told, once, that a microphone's audio was lost.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._queue: queue.Queue[Arrival | BaseException | None] = queue.Queue(
            round(WAITING / BLOCK)
        )
        self.lost = 0

    def take(self, samples: Samples) -> None:
        """Add a block; where too many wait, it is lost."""
        try:
            self._queue.put_nowait((samples, self._clock()))
        except queue.Full:
            self.lost += 1

    def follow(self, blocks: Iterator[Samples]) -> None:
        """Add blocks as they come, from a thread of its own; where too many wait, wait.

        What is raised there is raised where the blocks are taken.
        """

        def run() -> None:
            end: BaseException | None = None
            try:
                for block in blocks:
                    self._queue.put((block, self._clock()))
            except Exception as error:  # noqa: BLE001 - it is raised again by blocks()
                end = error
            self._queue.put(end)

        # Not waited for: it may hang on a pipe in which nothing comes.
        threading.Thread(target=run, name="listening", daemon=True).start()

    def blocks(self, stopping: Callable[[], bool]) -> Iterator[Arrival]:
        """Yield blocks until there are no more, or it is time to stop.

        Args:
            stopping: Whether it is; what waits then is yielded still.
        """
        told, left = False, None
        while left is None or left > 0:
            if left is None and stopping():
                # A pipe would fill up again and again.
                left = self._queue.qsize()
                continue
            try:
                found = self._queue.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if left is not None:
                left -= 1
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            yield found
            if self.lost and not told:
                told = True
                self._tell(
                    "computing is so slow that audio was lost; a smaller model, or an "
                    "exported one, is faster"
                )


@contextmanager
def open_sound(
    source: Path | None,
    *,
    sample_rate: int | None = None,
    device: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
    tell: Callable[[str], object] = lambda _: None,
) -> Iterator[tuple[int, Iterator[Arrival]]]:
    """Yield a source's rate, Hz, and its blocks, which are waited for when asked for.

    Args:
        source: A file, a named pipe, ``-`` for standard input; None is a microphone.
        sample_rate: Of raw samples, Hz; None takes 16000.
        device: The microphone's number or a part of its name.
        stopping: Whether it is time to stop; blocks then end.
        tell: Told what the user may want to know.

    Raises:
        AudioError: If it cannot be read or heard, or is of another kind.
        MissingPackageError: If what a microphone needs is not installed.
    """
    arrivals = Arrivals(tell=tell)
    if source is None:
        microphone = Microphone(device)
        yield microphone.sample_rate, _hear(microphone, arrivals, stopping, tell)
        return
    name = "standard input" if source == STDIN else str(source)
    with open_bytes(source) as stream:
        sound = read_stream(stream, name, sample_rate, tell)
        if is_recorded(stream):
            yield sound.sample_rate, _read(sound.blocks, stopping)
        else:
            yield sound.sample_rate, _follow(sound.blocks, arrivals, stopping)


def _hear(
    microphone: Microphone,
    arrivals: Arrivals,
    stopping: Callable[[], bool],
    tell: Callable[[str], object],
) -> Iterator[Arrival]:
    with microphone.open(arrivals.take):
        tell(f"listening to {microphone.name}; Ctrl-C ends it")
        yield from arrivals.blocks(stopping)


def _read(blocks: Iterable[Samples], stopping: Callable[[], bool]) -> Iterator[Arrival]:
    for block in blocks:
        if stopping():
            return
        # It need not be waited for, so it is never late.
        yield block, None


def _follow(
    blocks: Iterator[Samples], arrivals: Arrivals, stopping: Callable[[], bool]
) -> Iterator[Arrival]:
    arrivals.follow(blocks)
    yield from arrivals.blocks(stopping)


def listen(
    listener: Listener, sample_rate: int, blocks: Iterable[Arrival]
) -> Iterator[Update]:
    """Yield what is new after each block, and after the last one what is left.

    Args:
        listener: One that has heard nothing; its rate may be another.
        sample_rate: Of the blocks, Hz.
        blocks: As they come.
    """
    convert = _converter(sample_rate, listener.sample_rate)
    for samples, arrived in blocks:
        yield listener.feed(convert(samples, False), arrived)
    listener.feed(convert(np.zeros(0, np.float32), True))
    yield listener.finish()


def _converter(before: int, after: int) -> Callable[[Samples, bool], Samples]:
    """Return what converts blocks, and is told which is the last, to another rate."""
    if before == after:
        return lambda samples, _: samples
    # Half a second to load, which most need not wait for.
    import soxr

    stream = soxr.ResampleStream(before, after, 1, dtype="float32")
    return lambda samples, last: np.asarray(stream.resample_chunk(samples, last))

"""Synthetic speech by eSpeak NG, in this process, the same for the same arguments.

eSpeak keeps state from call to call that no function resets: the phase of its pitch
flutter, its gain control, settings that one voice leaves to the next. Each call here
therefore loads the library anew, which takes half a millisecond, and seeds its noise.
What is spoken then depends on the arguments alone, save for the few voices whose noise
comes from the C library (variants ``Reed`` and ``caleb``). Another version of eSpeak,
or a system that never unloads libraries (musl), may speak a little differently.

The library comes from the package espeakng-loader. Whoever else uses that very library
in this process must not do so at the same time.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio import Samples
from asr.errors import ConfigError, CorpusError, MissingPackageError

#: Hz; eSpeak NG's own rate for every voice but MBROLA's.
SAMPLE_RATE = 22050

# Values of eSpeak NG's speak_lib.h, 1.49 and later.
_OUTPUT_SYNCHRONOUS = 2  # espeak_Synth returns when the callback has had everything
_DONT_EXIT = 0x8000  # report missing data instead of ending the process
_RATE, _PITCH, _RANGE = 1, 3, 4
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_SCALE = np.float32(1 / 32768)
_GO_ON = 0  # what the callback returns; 1 stops

_RANGES = {"rate": (80, 450), "pitch": (0, 99), "pitch_range": (0, 99)}
_INSTALL = "pip install espeakng-loader"
# The engine is one set of global variables.
_LOCK = threading.Lock()
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def speak(
    text: str, *, voice: str, rate: int = 175, pitch: int = 50, pitch_range: int = 50
) -> Samples:
    """Return ``text`` as eSpeak NG says it, shape (N,), in [-1, 1].

    Args:
        text: What to say, in the voice's language; "" gives a few milliseconds.
        voice: A language by eSpeak's name (``en`` is British), alone or with one of
            :func:`variants`: ``en-us+f3``.
        rate: Words a minute, 80 to 450.
        pitch: 0 to 99; 50 is the voice's own.
        pitch_range: How lively the intonation is, 0 to 99; 0 is monotone, 50 the
            voice's own.

    Returns:
        Mono samples at :data:`SAMPLE_RATE` Hz, float32.

    Raises:
        ConfigError: If there is no such voice or a number is out of range.
        CorpusError: If eSpeak NG fails.
        MissingPackageError: If espeakng-loader is not installed.
    """
    numbers = {"rate": rate, "pitch": pitch, "pitch_range": pitch_range}
    for name, value in numbers.items():
        low, high = _RANGES[name]
        if not low <= value <= high:
            raise ConfigError(f"{name} is {value}; it must be {low} to {high}")
    _require_variant(voice)
    pieces: list[bytes] = []

    def collect(wave: Any, count: int, _events: int | None) -> int:
        if wave and count > 0:
            # Copied: the buffer is eSpeak's, and is used again.
            pieces.append(ctypes.string_at(wave, count * 2))
        return _GO_ON

    settings = {_RATE: rate, _PITCH: pitch, _RANGE: pitch_range}
    with _LOCK, _engine(_Callback(collect)) as library:
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ConfigError(f"no eSpeak NG voice {voice!r}, as in en-us or en-us+f3")
        for parameter, value in settings.items():
            _check(library.espeak_SetParameter(parameter, value, 0), "a parameter")
        encoded = text.encode()
        code = library.espeak_Synth(
            encoded,
            len(encoded) + 1,
            0,
            _POSITION_CHARACTER,
            0,
            _CHARS_UTF8,
            None,
            None,
        )
        _check(code, "speaking")
    return np.frombuffer(b"".join(pieces), np.int16).astype(np.float32) * _SCALE


def variants() -> list[str]:
    """Return the voice variants: what may follow the ``+`` of a voice.

    Raises:
        MissingPackageError: If espeakng-loader is not installed.
    """
    return sorted(file.name for file in (_data_path() / "voices" / "!v").iterdir())


@contextmanager
def _engine(callback: Callable[..., int]) -> Iterator[ctypes.CDLL]:
    """Yield a freshly loaded eSpeak NG that hands its samples to ``callback``."""
    path, data = _library_path(), _data_path()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise MissingPackageError(
            f"{path}: eSpeak NG cannot be loaded: {error}; try {_INSTALL}"
        ) from None
    try:
        rate = library.espeak_Initialize(
            _OUTPUT_SYNCHRONOUS, 0, _encode(data), _DONT_EXIT
        )
        if rate != SAMPLE_RATE:
            raise CorpusError(
                f"{data}: eSpeak NG does not start with this data; it wants a path of "
                "at most 150 characters: install into a folder with a shorter one"
            )
        # Initialising seeds with the time of day.
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        library.espeak_SetSynthCallback(callback)
        try:
            yield library
        finally:
            library.espeak_Terminate()
    finally:
        _unload(library)


def _unload(library: ctypes.CDLL) -> None:
    import _ctypes

    if sys.platform == "win32":
        _ctypes.FreeLibrary(library._handle)
    else:
        _ctypes.dlclose(library._handle)


def _require_variant(voice: str) -> None:
    # eSpeak takes an unknown variant for none at all, without a word.
    _, plus, variant = voice.partition("+")
    if plus and variant not in variants():
        raise ConfigError(f"no eSpeak NG voice variant {variant!r}, as in f3 or m1")


def _check(code: int, what: str) -> None:
    if code != 0:
        raise CorpusError(f"eSpeak NG refuses {what} (error {code})")


def _encode(path: Path) -> bytes:
    """Return a path as eSpeak's C code opens it: on Windows in the ANSI code page."""
    try:
        return (
            str(path).encode("mbcs") if sys.platform == "win32" else os.fsencode(path)
        )
    except UnicodeEncodeError:
        raise CorpusError(
            f"{path}: eSpeak NG cannot open this path; install into a folder whose "
            "name is plain ASCII"
        ) from None


def _library_path() -> Path:
    return Path(_loader().get_library_path())


def _data_path() -> Path:
    return Path(_loader().get_data_path())


def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError:
        raise MissingPackageError(
            f"speaking needs eSpeak NG (espeakng-loader); {_INSTALL}"
        ) from None
    return espeakng_loader

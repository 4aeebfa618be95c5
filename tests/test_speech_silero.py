from types import SimpleNamespace

import numpy as np
import pytest

from asr.errors import MissingPackageError
from asr.speech import silero
from asr.speech.detectors import make_detector
from asr.speech.runs import find_speech
from asr.speech.silero import SileroDetector
from tests.speaking import RATE, babble


@pytest.fixture
def fresh():
    """No network is kept from before, or for what comes after."""
    silero._network.cache_clear()
    yield
    silero._network.cache_clear()


def scores(samples):
    detector = SileroDetector()
    return np.concatenate([detector.add(samples), detector.end()])


@pytest.mark.parametrize("count", [0, 100, 512, 64 * 512, 112_345])
def test_probabilities_are_the_packages(count, one_thread):
    """Frame after frame in the package's own graph, by ONNX Runtime."""
    # Importing it sets the number of torch's threads.
    package, torch = pytest.importorskip("silero_vad"), pytest.importorskip("torch")
    samples, _ = babble(8, level=0.3)
    samples = samples[:count]
    theirs = package.load_silero_vad(onnx=True)
    padded = np.pad(samples, (0, -len(samples) % 512)).reshape(-1, 512)
    wanted = [float(theirs(torch.from_numpy(row), 16000)) for row in padded]
    assert count < 1000 or np.ptp(wanted) > 0.5
    np.testing.assert_allclose(scores(samples), wanted, atol=1e-4)


@pytest.mark.parametrize("level", [0, 1e-5, 1, 1e6])
def test_scores_are_probabilities_at_any_level(level):
    noise = level * np.random.default_rng(0).standard_normal(5 * RATE)
    found = scores(noise.astype(np.float32))
    assert np.all((found >= 0) & (found <= 1))


def test_voices_are_found():
    pytest.importorskip("espeakng_loader")
    from soxr import resample

    from asr.corpora import espeak

    said = espeak.speak("seven hundred and forty two", voice="en-us", pitch=30)
    said = resample(said, espeak.SAMPLE_RATE, RATE)
    length, pause = len(said) / RATE, np.zeros(RATE, np.float32)
    runs = find_speech([np.concatenate([pause, said] * 3)], SileroDetector())
    wanted = [(1 + n * (1 + length), (n + 1) * (1 + length)) for n in range(3)]
    np.testing.assert_allclose(list(runs), wanted, atol=0.3)


def test_silence_has_no_speech():
    assert scores(np.zeros(5 * RATE, np.float32)).max() < 0.1


def test_nothing_but_numpy_is_loaded():
    from tests.test_layout import loaded_by

    loaded = loaded_by(
        "from asr.speech.silero import SileroDetector\n"
        "import numpy\n"
        "SileroDetector().add(numpy.zeros(50000, numpy.float32))"
    )
    assert "numpy" in loaded
    assert not loaded & {"torch", "torchaudio", "silero_vad", "onnxruntime", "onnx"}


def test_the_network_is_read_where_it_is_wanted():
    from tests.test_layout import loaded_by

    code = (
        "from asr.speech.detectors import make_detector, require_detector\n"
        "require_detector('silero')\n{}"
        "import sys\n"
        "assert ('asr.speech.silero_network' in sys.modules) == {}"
    )
    loaded_by(code.format("", False))
    loaded_by(code.format("make_detector('silero', 16000)\n", True))


def test_a_package_that_is_missing(monkeypatch, fresh):
    monkeypatch.setattr(silero, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'silero-vad>=6"):
        SileroDetector()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"\x13", "no field begins"),
        (b"\x3a\x02\x2a\x00", "has no encoder.0.bias"),
    ],
)
def test_a_package_with_another_network(monkeypatch, tmp_path, fresh, content, said):
    path = tmp_path / "data/silero_vad_16k_sequence.onnx"
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    origin = str(tmp_path / "__init__.py")
    monkeypatch.setattr(
        silero, "find_spec", lambda name: SimpleNamespace(origin=origin)
    )
    with pytest.raises(MissingPackageError, match=rf"onnx: {said}.*6\.2\.2 or a later"):
        SileroDetector()


def test_memory_is_seconds_however_the_blocks_are():
    detector = make_detector("silero", RATE)
    for size in (1000, 700_000, 31):
        detector.add(np.zeros(size, np.float32))
        assert len(detector._rest) < 3 * RATE
    assert list(find_speech([], detector)) == []

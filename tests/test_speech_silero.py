import sys

import numpy as np
import pytest

from asr.errors import MissingPackageError
from asr.speech import silero
from asr.speech.silero import SileroDetector
from tests.speaking import babble


@pytest.fixture
def package(one_thread):
    # Importing it sets the number of torch's threads.
    return pytest.importorskip("silero_vad", reason="no silero-vad")


@pytest.mark.parametrize("count", [0, 100, 512, 112_345])
def test_probabilities_are_the_packages(package, count):
    torch = pytest.importorskip("torch")
    samples, _ = babble(8, level=0.3)
    samples = samples[:count]
    theirs = package.load_silero_vad(onnx=True)
    padded = np.pad(samples, (0, -len(samples) % 512)).reshape(-1, 512)
    wanted = [float(theirs(torch.from_numpy(row), 16000)) for row in padded]
    detector = SileroDetector()
    parts = [detector.add(samples[:777]), detector.add(samples[777:]), detector.end()]
    np.testing.assert_allclose(np.concatenate(parts), wanted, atol=1e-4)


def test_torch_stays_out(package):
    from tests.test_layout import loaded_by

    loaded = loaded_by(
        "from asr.speech.silero import SileroDetector\n"
        "import numpy\n"
        "SileroDetector().add(numpy.zeros(5000, numpy.float32))"
    )
    assert "onnxruntime" in loaded
    assert not loaded & {"torch", "torchaudio", "silero_vad"}


@pytest.mark.parametrize("missing", ["onnxruntime", "silero_vad"])
def test_missing_packages_have_a_command(monkeypatch, missing):
    pytest.importorskip("onnxruntime")
    silero._session.cache_clear()
    if missing == "onnxruntime":
        monkeypatch.setitem(sys.modules, missing, None)
    else:
        monkeypatch.setattr(silero, "find_spec", lambda name: None)
    with pytest.raises(
        MissingPackageError, match=r"pip install 'recurrent-asr\[vad\]'"
    ):
        SileroDetector()


def test_a_package_that_is_too_old(monkeypatch, tmp_path):
    from types import SimpleNamespace

    pytest.importorskip("onnxruntime")
    silero._session.cache_clear()
    origin = str(tmp_path / "__init__.py")
    monkeypatch.setattr(
        silero, "find_spec", lambda name: SimpleNamespace(origin=origin)
    )
    with pytest.raises(MissingPackageError, match=r"6\.2\.2 or newer"):
        SileroDetector()

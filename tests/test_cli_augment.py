import pytest
import soundfile
from typer.testing import CliRunner

from asr.errors import AsrError, ConfigError, FileError
from asr.manifest import read_manifest
from cli.main import app


@pytest.fixture
def asr_augment(small, tmp_path):
    settings = [part for setting in small for part in ("--set", setting)]

    def call(*arguments, out=tmp_path / "out"):
        words = ["augment", arguments[0], out, *settings, *arguments[1:]]
        result = CliRunner().invoke(app, [str(word) for word in words])
        error = result.exception
        if error and not isinstance(error, SystemExit | AsrError):
            raise error
        return result

    return call


@pytest.fixture
def recording(prepared):
    return read_manifest(prepared / "train.jsonl")[0].audio


def test_the_page_on_stdout_the_rest_on_stderr(asr_augment, recording, tmp_path):
    result = asr_augment(recording)
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'out' / 'index.html'}\n"
    lines = result.stderr.splitlines()
    assert len(lines) == 5
    for n, line in enumerate(lines, start=1):
        name = f"{recording.stem}-{n}.wav"
        assert line.startswith(f"asr: {name}: ")
        assert soundfile.info(tmp_path / "out" / name).samplerate == 8000
    assert any(line.endswith(": speed 1.05") for line in lines)
    assert any(line.endswith(": nothing drawn") for line in lines)


def test_number_seed_and_settings(asr_augment, prepared, tmp_path):
    name = read_manifest(prepared / "train.jsonl")[1].id
    manifest = (prepared / "train.jsonl", "--id", name, "--number", 2)
    gain = ("--set", "augment.gain_probability=1")
    said = []
    for n, seed in enumerate((0, 0, 7)):
        result = asr_augment(*manifest, *gain, "--seed", seed, out=tmp_path / str(n))
        assert result.exit_code == 0
        said.append(result.stderr)
    assert said[0] == said[1] != said[2]
    assert said[0].count("gain ") == said[0].count("\n") == 2
    (tmp_path / "c.toml").write_text("seed = 7\n[augment]\ngain_probability = 1.0\n")
    file = asr_augment(*manifest, "--config", tmp_path / "c.toml", out=tmp_path / "f")
    assert file.stderr == said[2]


def test_what_it_refuses(asr_augment, recording):
    result = asr_augment(recording, "--set", "augment.speeds=[1.0]")
    assert isinstance(result.exception, ConfigError)
    result = asr_augment(recording, "--set", "augment.noise_probability=1")
    assert isinstance(result.exception, ConfigError)
    assert asr_augment(recording, "--number", 0).exit_code == 2
    assert asr_augment(recording).exit_code == 0
    result = asr_augment(recording)
    assert isinstance(result.exception, FileError)
    assert "--overwrite" in str(result.exception)
    assert asr_augment(recording, "--overwrite").exit_code == 0

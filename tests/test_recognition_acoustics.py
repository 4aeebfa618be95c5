import shutil

import pytest

from asr.errors import ModelError
from asr.manifest import read_manifest
from asr.model.acoustic import AcousticModel
from asr.model.file import load_model
from asr.model.onnx_model import OnnxModel
from asr.recognition.acoustics import load_acoustics
from asr.recognition.alignment import align_utterances
from asr.recognition.options import SearchOptions, make_decoding
from asr.recognition.recogniser import transcribe


def test_the_suffix_chooses(trained, exported, tmp_path):
    assert isinstance(load_acoustics(trained), AcousticModel)
    assert isinstance(load_acoustics(exported), OnnxModel)
    shutil.copy(exported, tmp_path / "M.ONNX")
    assert isinstance(load_acoustics(tmp_path / "M.ONNX", "cpu"), OnnxModel)


def test_where_it_cannot_run(exported):
    with pytest.raises(ModelError, match=r"--device cuda: .*model.onnx is run on the"):
        load_acoustics(exported, "cuda")


def test_what_is_missing(tmp_path):
    with pytest.raises(ModelError, match=r"gone.onnx: no such model"):
        load_acoustics(tmp_path / "gone.onnx")


def test_an_exported_model_is_not_trained_or_tuned(exported):
    with pytest.raises(ModelError, match=r"model.onnx: is an exported model"):
        load_model(exported)


@pytest.mark.parametrize(
    "options", [SearchOptions(), SearchOptions(beam=8, hotwords=("do re",))]
)
def test_both_hear_the_same(trained, exported, prepared, options):
    utterances = read_manifest(prepared / "train.jsonl")
    found = []
    for path in (trained, exported):
        model = load_acoustics(path)
        decoding = make_decoding(model, options, words=True)
        found.append(list(transcribe(model, utterances, decoding=decoding)))
    assert len(found[0]) == len(utterances)
    for one, other in zip(*found, strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score, abs=1e-2)
        assert [(w.start, w.end) for w in one.words] == [
            (w.start, w.end) for w in other.words
        ]


def test_both_align_the_same(trained, exported, prepared):
    utterances = read_manifest(prepared / "dev.jsonl")
    one, other = (
        list(align_utterances(load_acoustics(path), utterances))
        for path in (trained, exported)
    )
    for left, right in zip(one, other, strict=True):
        assert left.text == right.text
        assert [w.start for w in left.words] == [w.start for w in right.words]

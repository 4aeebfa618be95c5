from pathlib import Path

import numpy as np
import pytest
import soundfile

import asr
from asr.errors import AsrError, AudioError, ConfigError, ModelError
from asr.hypotheses import Hypothesis


@pytest.fixture(scope="module")
def recogniser(exported):
    return asr.load(exported)


def test_a_recording(recogniser, corpus):
    heard = recogniser.transcribe(corpus / "wav/train00.wav")
    assert isinstance(heard, Hypothesis)
    assert heard.text == "do re"
    assert [word.text for word in heard.words] == ["do", "re"]
    assert heard.n_best == ()
    assert recogniser.transcribe(corpus / "wav/train00.wav", words=False).words is None
    assert heard.id == str(corpus / "wav/train00.wav")


def test_words_and_texts(recogniser, corpus):
    heard = recogniser.transcribe(
        str(corpus / "wav/train04.wav"), words=True, nbest=3, beam=8
    )
    assert [word.text for word in heard.words] == ["do", "mi", "fa"]
    ends = [word.end for word in heard.words]
    assert sorted(ends) == ends and 0 < ends[0] < heard.duration
    assert all(0 < word.confidence <= 1 for word in heard.words)
    assert len(heard.n_best) == 3 and heard.n_best[0].text == heard.text


def test_several(recogniser, corpus):
    paths = (corpus / f"wav/train{n:02}.wav" for n in (0, 1, 0))
    heard = recogniser.transcribe(paths)
    assert iter(heard) is heard
    assert [one.text for one in heard] == ["do re", "mi fa", "do re"]
    assert list(recogniser.transcribe([])) == []


def test_what_is_known_of_texts(recogniser, corpus, tmp_path):
    only = tmp_path / "words.txt"
    only.write_text("fa\nmi\n", encoding="utf-8")
    heard = recogniser.transcribe(corpus / "wav/train00.wav", lexicon=only)
    assert set(heard.text.split()) <= {"fa", "mi"}
    found = recogniser.transcribe(
        corpus / "wav/train00.wav", lexicon=str(only), settings=["decoding.beam=2"]
    )
    assert set(found.text.split()) <= {"fa", "mi"}
    plain, favoured = (
        recogniser.transcribe(corpus / "wav/train00.wav", beam=8, hotword=phrases)
        for phrases in ((), ["do re=5"])
    )
    assert favoured.text == plain.text == "do re"
    assert favoured.score > plain.score + 1


def test_files_are_read_once(recogniser, corpus, tmp_path):
    only = tmp_path / "once.txt"
    only.write_text("do\nre\n", encoding="utf-8")
    recogniser.transcribe(corpus / "wav/train00.wav", lexicon=only)
    only.unlink()
    heard = recogniser.transcribe(corpus / "wav/train00.wav", lexicon=only)
    assert heard.text == "do re"


def test_what_is_wrong(recogniser, corpus, tmp_path):
    with pytest.raises(AudioError, match=r"gone.wav: no such file"):
        recogniser.transcribe("gone.wav")
    heard = recogniser.transcribe([corpus / "wav/train00.wav", Path("gone.wav")])
    assert next(heard).text == "do re"
    with pytest.raises(AudioError, match=r"gone.wav: no such file"):
        next(heard)
    with pytest.raises(AsrError, match="give one"):
        recogniser.transcribe("gone.wav", lexicon="a", grammar="b")
    with pytest.raises(ModelError, match="no such model"):
        asr.load(tmp_path / "gone")


def test_the_model_as_it_was_trained(trained, corpus):
    heard = asr.load(str(trained)).transcribe(corpus / "wav/train00.wav")
    assert heard.text == "do re"


def test_what_breaks_off_is_warned_of(recogniser, corpus, tmp_path):
    data = (corpus / "wav/train00.wav").read_bytes()
    (tmp_path / "half.wav").write_bytes(data[: len(data) // 2])
    with pytest.warns(UserWarning, match=r"half.wav: breaks off: header promises"):
        recogniser.transcribe(tmp_path / "half.wav")


def test_options_are_those_of_the_command_line(recogniser, corpus):
    wav = corpus / "wav/train00.wav"
    phrase, same = (
        recogniser.transcribe(wav, beam=8, hotword=word)
        for word in ("do re=5", ["do re=5"])
    )
    assert phrase == same
    for wrong in (
        {"nbest": -1},
        {"beam": -5},
        {"batch_seconds": 0},
        {"batch_seconds": float("nan")},
        {"channel": 0},
        {"vad": "energetic"},
    ):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))}: "):
            recogniser.transcribe(wav, **wrong)
    with pytest.raises(AudioError, match=r"m.jsonl: is a manifest; give"):
        recogniser.transcribe("m.jsonl")


def test_one_channel_and_pauses(recogniser, corpus, tmp_path):
    one, other = (soundfile.read(corpus / f"wav/train{n:02}.wav")[0] for n in (8, 0))
    both = np.zeros((max(len(one), len(other)), 2))
    both[: len(one), 0], both[: len(other), 1] = one, other
    soundfile.write(tmp_path / "call.wav", both, 8000)
    heard = [recogniser.transcribe(tmp_path / "call.wav", channel=n) for n in (1, 2)]
    assert [one.text for one in heard] == ["do", "do re"]
    parts = [part for _ in range(12) for part in (other, np.zeros(2 * 8000))]
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts), 8000)
    cut, whole = (
        recogniser.transcribe(tmp_path / "long.wav", vad=vad)
        for vad in ("energy", "none")
    )
    assert cut != whole

import json
import subprocess
from pathlib import Path

import pytest
import textgrid

from asr.errors import ConfigError
from asr.hypotheses import Hypothesis, Word
from asr.manifest import Utterance
from asr.scoring.inputs import read_transcripts
from asr.subtitles import Layout
from asr.transcripts import FORMATS, RECORDING, Transcript, body, head, parse_formats
from tests.sclite import program

WORDS = (
    Word(text="oh", start=10.1234, end=10.5, confidence=0.9),
    Word(text="<né>", start=10.5, end=10.75, confidence=0.5),
    Word(text="a", start=12.0, end=12.2, confidence=1.0),
)


@pytest.fixture
def transcript():
    """A function that returns what was heard in a part of a recording."""

    def make(name="u", words=WORDS, **utterance):
        heard = Hypothesis(
            id=name,
            text=" ".join(word.text for word in words),
            score=-1.5,
            duration=4.0,
            words=words,
        )
        line = {"audio": Path("u.wav"), "offset": 10.0, **utterance}
        return Transcript(heard, Utterance(id=name, **line), Layout())

    return make


def test_formats_are_named_with_commas():
    assert parse_formats("srt, VTT,srt", FORMATS) == ["srt", "vtt"]
    for text in ("", "srt,", "doc"):
        with pytest.raises(ConfigError, match=r"is none of txt, json, jsonl"):
            parse_formats(text, FORMATS)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_ends_with_a_line_and_takes_no_words(transcript, form):
    text = head(form, alone=True) + body(form, transcript(), alone=True)
    assert text.endswith("\n")
    assert "né" in text
    empty = body(form, transcript(words=()), alone=True)
    assert "né" not in empty


def test_text_has_the_id_where_there_are_several(transcript):
    assert body("txt", transcript(), alone=True) == "oh <né> a\n"
    assert body("txt", transcript(), alone=False) == "u\toh <né> a\n"


def test_tsv_is_whispers(transcript):
    assert head("tsv", alone=True) == "start\tend\ttext\n"
    rows = "10123\t10750\toh <né>\n12000\t12200\ta\n"
    assert body("tsv", transcript(), alone=True) == rows
    assert head("tsv", alone=False) == "id\tstart\tend\ttext\n"
    assert body("tsv", transcript(), alone=False).startswith("u\t10123\t10750\toh")


def test_json_has_segments_of_words(transcript):
    row = json.loads(body("json", transcript("u.2", channel=1), alone=True))
    assert (row["id"], row["channel"], row["duration"]) == ("u.2", 2, 4.0)
    assert row["text"] == " ".join(segment["text"] for segment in row["segments"])
    first, second = row["segments"]
    assert (first["start"], first["end"], first["confidence"]) == (10.123, 10.75, 0.7)
    assert [word["text"] for word in second["words"]] == ["a"]
    assert "words" not in row


def test_channels_are_nists(transcript):
    one = transcript("u.2", channel=1, extra={RECORDING: "u"}, speaker="Anna B")
    assert body("ctm", one, alone=False).startswith("u 2 10.123 0.377 oh 0.9000\n")
    assert body("stm", one, alone=False) == (
        "u 2 Anna_B 10.123 10.750 <o> oh <né>\nu 2 Anna_B 12.000 12.200 <o> a\n"
    )
    silent = transcript(words=())
    assert body("stm", silent, alone=False) == "u 1 u 10.000 14.000 <o>\n"


def test_score_reads_the_stm(transcript, tmp_path):
    (tmp_path / "r.stm").write_text(body("stm", transcript(), alone=False))
    found = read_transcripts(tmp_path / "r.stm", "ref")
    assert [entry.text for entry in found] == ["oh <né>", "a"]


def test_sclite_reads_stm_and_ctm(transcript, tmp_path):
    parts = [
        transcript("v.1", WORDS[:1], channel=0, extra={RECORDING: "v"}),
        transcript("v.2", WORDS[1:], channel=1, extra={RECORDING: "v"}),
        transcript("w", ()),
    ]
    for form in ("stm", "ctm"):
        text = "".join(body(form, part, alone=False) for part in parts)
        (tmp_path / f"x.{form}").write_text(text, encoding="utf-8")
    command = [program("sclite"), "-r", tmp_path / "x.stm", "stm", "-i", "rm"]
    command += ["-h", tmp_path / "x.ctm", "ctm", "-o", "pra", "stdout"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    scores = [line for line in result.stdout.splitlines() if line.startswith("Scores:")]
    assert scores == ["Scores: (#C #S #D #I) 1 0 0 0"] * 3 + [
        "Scores: (#C #S #D #I) 0 0 0 0"
    ]


def test_praats_reader_reads_the_textgrid(transcript, tmp_path):
    path = tmp_path / "u.TextGrid"
    path.write_text(body("textgrid", transcript(), alone=True), encoding="utf-8")
    [tier] = textgrid.TextGrid.fromFile(path)
    assert tier.maxTime == 14.0
    marks = [(float(i.minTime), i.mark) for i in tier if i.mark]
    assert marks == [(10.123, "oh"), (10.5, "<né>"), (12.0, "a")]

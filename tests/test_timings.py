import json
import re
import subprocess

import pytest

from asr.hypotheses import Word, word_rows
from asr.scoring.inputs import read_transcripts
from asr.timings import ctm_lines, textgrid
from tests.sclite import program

WORDS = [
    Word(text="oh", start=0.12345, end=0.5, confidence=0.98765),
    Word(text='"né', start=0.5, end=0.75, confidence=0.5),
    Word(text="a", start=1.0, end=1.2, confidence=1.0),
]


def read_textgrid(text):
    """Return (length, intervals) of a grid with one tier, by Praat's manual."""
    header, body = text.split("    item [1]:\n")
    assert header.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\n')
    assert header.endswith("tiers? <exists>\nsize = 1\nitem []:\n")
    assert 'class = "IntervalTier"' in body
    assert 'name = "words"' in body
    pattern = (
        r"intervals \[(\d+)\]:\n\s+xmin = ([\d.]+)\n\s+xmax = ([\d.]+)\n"
        r'\s+text = "((?:[^"]|"")*)"\n'
    )
    found = re.findall(pattern, body)
    assert [int(n) for n, *_ in found] == list(range(1, len(found) + 1))
    assert f"intervals: size = {len(found)}\n" in body
    intervals = [(float(a), float(b), t.replace('""', '"')) for _, a, b, t in found]
    return float(re.search(r"xmax = ([\d.]+)", header)[1]), intervals


def test_textgrid_has_words_and_the_pauses_between_them():
    length, intervals = read_textgrid(textgrid(WORDS, 2.0))
    assert length == 2
    assert intervals == [
        (0, 0.123, ""),
        (0.123, 0.5, "oh"),
        (0.5, 0.75, '"né'),
        (0.75, 1, ""),
        (1, 1.2, "a"),
        (1.2, 2, ""),
    ]


def test_textgrid_without_words_or_pauses():
    assert read_textgrid(textgrid([], 1.5)) == (1.5, [(0, 1.5, "")])
    word = Word(text="a", start=0, end=1.5, confidence=1)
    assert read_textgrid(textgrid([word], 1.5)) == (1.5, [(0, 1.5, "a")])


def test_score_reads_what_is_written(tmp_path):
    lines = ctm_lines("u", WORDS)
    (tmp_path / "w.ctm").write_text("\n".join(lines) + "\n", encoding="utf-8")
    row = {"id": "u", "text": 'oh "né a', "words": word_rows(WORDS)}
    (tmp_path / "w.jsonl").write_text(json.dumps(row), encoding="utf-8")
    [ctm] = read_transcripts(tmp_path / "w.ctm", "hyp")
    [rows] = read_transcripts(tmp_path / "w.jsonl", "hyp")
    assert ctm.text == rows.text == 'oh "né a'
    for found in (ctm, rows):
        for read, word in zip(found.words, WORDS, strict=True):
            assert read.text == word.text
            assert read.start == pytest.approx(word.start, abs=5e-4)
            assert read.duration == pytest.approx(word.end - word.start, abs=1e-3)
            assert read.confidence == pytest.approx(word.confidence, abs=1e-4)


def test_sclite_reads_the_ctm(tmp_path):
    (tmp_path / "w.ctm").write_text("\n".join(ctm_lines("u", WORDS)) + "\n")
    (tmp_path / "r.stm").write_text('u 1 s 0.0 2.0 oh "né b\n')
    command = [program("sclite"), "-r", tmp_path / "r.stm", "stm", "-i", "rm"]
    command += ["-h", tmp_path / "w.ctm", "ctm", "-o", "pra", "stdout"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Scores: (#C #S #D #I) 2 1 0 0" in result.stdout

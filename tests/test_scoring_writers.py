import random
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from asr.errors import FileError
from asr.scoring.aligned import columns, printable, rows
from asr.scoring.corpus import score_corpus
from asr.scoring.inputs import read_inputs, read_transcripts
from asr.scoring.transcripts import TimedWord, Transcript
from asr.scoring.writers import write_ctm, write_pra, write_stm, write_trn
from tests.sclite import program

WORDS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=6)
TEXTS = WORDS.map(lambda words: " ".join(" ".join(words).split()))


def sclite(folder, kind, *options):
    """Return sclite's alignments of ref.trn or ref.stm and hyp.trn or hyp.ctm."""
    ref = "stm" if kind == "ctm" else kind
    files = ["-r", f"ref.{ref}", ref, "-h", f"hyp.{kind}", kind]
    result = subprocess.run(
        [program("sclite"), *files, *options, "-s", "-o", "pralign", "-f", "0"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr + result.stdout
    [alignment] = folder.glob("*.pra")
    return alignment.read_text(encoding="utf-8")


def entries(**texts):
    return [Transcript(id=name, text=text) for name, text in texts.items()]


@given(st.dictionaries(st.from_regex(r"[a-z]+-[0-9]+", fullmatch=True), TEXTS))
def test_trn_is_read_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("t") / "a.trn"
    write_trn(path, [Transcript(id=name, text=text) for name, text in texts.items()])
    found = {t.id: t.text for t in read_transcripts(path, "ref")}
    assert found == texts


def test_sclite_reads_our_trn(tmp_path):
    ref = entries(s1_a="the cat sat", s1_b=";; no comment", s2_a="", s2_b="a {b / c}")
    hyp = entries(s1_a="the hat", s1_b=";; no", s2_a="x <b>&</b>", s2_b="a c 東京")
    write_trn(tmp_path / "ref.trn", ref)
    write_trn(tmp_path / "hyp.trn", hyp)
    shown = sclite(tmp_path, "trn", "-i", "spu_id", "-e", "utf-8")
    scores = [line for line in shown.split("\n") if line.startswith("Scores:")]
    assert [line.partition(") ")[2] for line in scores] == [
        "1 1 1 0",
        "2 0 1 0",
        "0 0 0 2",
        "2 0 0 1",
    ]


def test_ctm_and_stm_are_read_back(tmp_path):
    ref = [
        Transcript(
            id="f_B_s_1_2.5",
            text="a b",
            recording="f",
            channel="B",
            speaker="s",
            start=1.0,
            end=2.5,
            duration=1.5,
            extra={"label": "O,M"},
        ),
        Transcript(
            id="f_A_t_0.123456_2",
            text="",
            recording="f",
            channel="A",
            speaker="t",
            start=0.123456,
            end=2.0,
            duration=1.876544,
        ),
    ]
    write_stm(tmp_path / "ref.stm", ref)
    assert (tmp_path / "ref.stm").read_text() == (
        "f A t 0.123456 2\nf B s 1 2.5 <O,M> a b\n"
    )
    assert read_transcripts(tmp_path / "ref.stm", "ref") == ref[::-1]
    words = (
        TimedWord(text="a", start=1.1, duration=0.25, confidence=0.75),
        TimedWord(text="c", start=1.5, duration=0.1),
    )
    write_ctm(
        tmp_path / "hyp.ctm",
        [
            Transcript(id="x", text="a c", recording="f", channel="B", words=words),
            Transcript(id="y", text="", recording="f", channel="A"),
        ],
    )
    assert (tmp_path / "hyp.ctm").read_text() == (
        "f B 1.1 0.25 a 0.75\nf B 1.5 0.1 c\n"
    )
    [system] = read_inputs(tmp_path / "ref.stm", [tmp_path / "hyp.ctm"]).systems
    assert system["f_B_s_1_2.5"].words == words


def test_sclite_reads_our_stm_and_ctm(tmp_path):
    names = [("f", "A"), ("g", "A")]
    write_stm(
        tmp_path / "ref.stm",
        [
            Transcript(id="", text="a b", recording=f, channel=c, start=0, end=1)
            for f, c in names
        ],
    )
    word = TimedWord(text="a", start=0.5, duration=0.1, confidence=0.5)
    write_ctm(
        tmp_path / "hyp.ctm",
        [Transcript(id="", text="a", recording=f, channel=c, words=(word,))
         for f, c in names],
    )  # fmt: skip
    shown = sclite(tmp_path, "ctm")
    assert shown.count("Scores: (#C #S #D #I) 1 0 1 0") == 2


def test_pra_has_sclites_layout(tmp_path):
    result = score_corpus(
        {"u1": "the cat sat on it", "u2": "", "u3": "the"},
        {"u1": "the hat on it now", "u2": "", "u3": "the"},
        speakers={"u1": "s1", "u2": None, "u3": "s1"},
    )
    path = tmp_path / "out" / "sys.pra"
    write_pra(path, "hyp.trn", result)
    assert path.read_text() == (
        "\n\n\t\tDUMP OF SYSTEM ALIGNMENT STRUCTURE\n\n"
        "System name:   hyp.trn\n\n"
        "Speakers: \n    0:  s1\n    1:  unknown\n\n"
        "Speaker sentences   0:  s1   #utts: 2\n"
        "id: (u1)\n"
        "Scores: (#C #S #D #I) 3 1 1 1\n"
        "REF:  the cat sat on it ***\n"
        "HYP:  the *** hat on it now\n"
        "Eval:     D   S         I\n\n"
        "id: (u3)\n"
        "Scores: (#C #S #D #I) 1 0 0 0\n"
        "REF:  the\nHYP:  the\nEval:\n\n\n"
        "Speaker sentences   1:  unknown   #utts: 1\n"
        "id: (u2)\n"
        "Scores: (#C #S #D #I) 0 0 0 0\n"
        "REF:\nHYP:\nEval:\n\n"
    )


def test_pra_says_what_sclites_says(tmp_path):
    rng = random.Random(0)
    names = [f"s_{n}" for n in range(200)]
    refs, hyps = ({n: " ".join(rng.choices("abcd", k=9)) for n in names} for _ in "rh")
    write_trn(tmp_path / "ref.trn", entries(**refs))
    write_trn(tmp_path / "hyp.trn", entries(**hyps))
    theirs = sclite(tmp_path, "trn", "-i", "spu_id")
    result = score_corpus(refs, hyps, speakers=dict.fromkeys(names, "s"))
    write_pra(tmp_path / "ours", "hyp.trn", result)
    ours = (tmp_path / "ours").read_text()
    # Theirs has spaces at the ends of more lines, and says that it minds case.
    first, second = (
        [line.rstrip() for line in text.rstrip().split("\n")] for text in (ours, theirs)
    )
    assert first == [line for line in second if not line.startswith("Attributes")]


def test_optional_words_that_were_left_out_are_no_error(tmp_path):
    result = score_corpus({"u": "(uh) a { b / c }"}, {"u": "a c"}, marked=True)
    write_pra(tmp_path / "x.pra", "x", result)
    assert (
        (tmp_path / "x.pra")
        .read_text()
        .endswith(
            "Scores: (#C #S #D #I) 3 0 0 0\nREF:  (uh) a c\nHYP:       a c\nEval:\n\n"
        )
    )


def test_files_that_cannot_be_written_are_not_there(tmp_path):
    (tmp_path / "file").write_text("")
    for write in (write_trn, write_ctm, write_stm):
        with pytest.raises(FileError, match="cannot be written"):
            write(tmp_path / "file" / "x", [])
    with pytest.raises(FileError, match="cannot be written"):
        write_pra(tmp_path / "file" / "x", "s", score_corpus({"u": "a"}, {"u": "a"}))


# Rows for terminals


def test_paint_changes_nothing_but_colour():
    found = columns([("東京", "x"), ("a", "a"), (None, "b"), ("c", None)])
    marks = []

    def paint(word, mark):
        marks.append((word, mark))
        return f"<{mark}>{word}</>"

    painted = rows(found, paint=paint)
    assert marks[:3] == [("東京", "S"), ("x", "S"), ("S", "S")]
    for mark in " SDI":
        painted = [line.replace(f"<{mark}>", "") for line in painted]
    assert [line.replace("</>", "").rstrip() for line in painted] == rows(found)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8), st.integers(10, 60))
def test_rows_are_broken_between_columns_and_line_up(texts, width):
    pairs = [(a or None, b or None) for a, b in texts if a or b]
    lines = rows(columns(pairs), width=width)
    assert len(lines) % 3 == 0
    assert not any("\x1b" in line or "\n" in line for line in lines)
    shown = columns(pairs)
    widest = max((column.width for column in shown), default=0)
    assert all(cell_len(line) <= max(width, 5 + widest) for line in lines)


def test_what_would_turn_a_terminal_is_not_shown():
    assert printable("a\x1b[31m\u202eb\tc") == "a\ufffd[31m\ufffdb\ufffdc"
    assert printable("שלום e\u0301 👩‍👩‍👧") == "שלום e\u0301 👩‍👩‍👧"

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from asr import __version__
from asr.errors import FileError, ScoreError
from asr.scoring.folder import write_folder
from asr.scoring.keys import NONE, labels_of
from asr.scoring.normalisation import named, of_rules
from asr.scoring.report import (
    details,
    frequent_errors,
    overview,
    remarks,
    worst_of_all,
)
from asr.scoring.score_json import write_report
from asr.scoring.stage import score_files
from asr.scoring.transcripts import Transcript
from tests.sclite import program


def rows(path, texts, **keys):
    lines = [{"id": name, "text": text, **keys} for name, text in texts.items()]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


@pytest.fixture
def files(tmp_path):
    """Return a function that writes REF and HYPs, and scores them."""

    def score(ref, *hyps, **options):
        paths = [rows(tmp_path / f"h{n}.jsonl", hyp) for n, hyp in enumerate(hyps)]
        return score_files(rows(tmp_path / "ref.jsonl", ref), paths, **options)

    return score


def read(path):
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_report_is_json_with_everything_counted(tmp_path, files):
    scores = files(
        {"1": "a b", "2": "", "3": "东京", "4": "", "5": ""},
        {"1": "a c", "2": "x", "9": "", "4": "", "5": ""},
        missing="count",
    )
    write_report(tmp_path / "score.json", scores)
    tree = read(tmp_path / "score.json")
    assert tree["asr_version"] == __version__
    assert tree["normalisation"] is None
    [system] = tree["systems"]
    interval = scores.systems[0].score.interval
    assert system["words"]["rate"] == 1.0
    assert system["words"]["errors"] == 3
    assert system["wer_interval_95"] == [interval.low, interval.high]
    assert system["missing"] == ["3"]
    assert system["missing_counted"] is True
    assert system["extra"] == ["9"]
    assert [row["id"] for row in system["by_utterance"]] == [*"12345"]
    assert system["by_utterance"][1]["words"]["rate"] is None
    for key in ("errors", "length", "hits", "insertions"):
        parts = [row["words"][key] for row in system["by_utterance"]]
        assert sum(parts) == system["words"][key]


def test_report_without_interval_says_null(tmp_path, files):
    write_report(tmp_path / "score.json", files({"1": "a"}, {"1": "a"}))
    [system] = read(tmp_path / "score.json")["systems"]
    assert system["wer_interval_95"] is None


def test_report_that_cannot_be_written(tmp_path, files):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        write_report(tmp_path / "file" / "s.json", files({"1": "a"}, {"1": ""}))


def test_report_of_what_was_normalised(tmp_path, files):
    scores = files({"1": "A b"}, {"1": "a B"}, normaliser=named("basic"))
    assert scores.systems[0].score.total.wer == 0
    assert scores.systems[0].score.utterances[0].reference == "a b"
    write_report(tmp_path / "score.json", scores)
    tree = read(tmp_path / "score.json")
    assert tree["normalisation"] == "basic"
    assert {"before": "A", "after": "a", "count": 1} in tree["normalised_words"]
    assert remarks(scores) == [
        "normalisation (basic) changed 2 words: A -> a (1), B -> b (1)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [("今日は晴れ", True), ("สวัสดี", True), ("abc 今", False), ("안녕 하세요", False)],
)
def test_a_note_on_languages_without_spaces(files, text, said):
    notes = remarks(files({"1": text}, {"1": text}))
    assert any("--unit char" in note for note in notes) == said
    assert remarks(files({"1": text}, {"1": text}, unit="character")) == []


HOSTILE = {
    "markup": '<script>alert(1)</script> & "x" {a',
    "hebrew": "שלום עולם\u202e טוב",
    "combining": "e\u0301te\u0301 नमस्ते",
    "emoji": "👩‍👩‍👧 ok 🏳️‍🌈",
    "escape": "\x1b[31m red \x07",
    "separators": "a\u2028b\x85c",
    "long": " ".join(f"w{n}" for n in range(20_000)),
}


@pytest.mark.parametrize("kind", ["jsonl", "trn"])
def test_hostile_texts_break_neither_numbers_nor_files(tmp_path, kind):
    texts = {k: v for k, v in HOSTILE.items() if kind == "jsonl" or "{" not in v}
    ref, hyp = tmp_path / f"ref.{kind}", tmp_path / f"hyp.{kind}"
    for path, end in ((ref, ""), (hyp, " x")):
        lines = [
            json.dumps({"id": name, "text": text + end})
            if kind == "jsonl"
            else f"{text}{end} ({name})"
            for name, text in texts.items()
        ]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    scores = score_files(ref, [hyp])
    words = scores.systems[0].score.total.words
    assert words.hits == sum(len(text.split()) for text in texts.values())
    assert (words.insertions, words.errors) == (len(texts), len(texts))
    write_folder(tmp_path / "out", scores)
    again = score_files(tmp_path / "out" / "ref.trn", [tmp_path / "out" / "hyp.trn"])
    assert again.systems[0].score.total == scores.systems[0].score.total
    shown = overview(scores) + frequent_errors(scores, 9) + worst_of_all(scores, 9)
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}


def test_one_system_is_shown_without_its_name(files):
    scores = files({"1": "a b"}, {"1": "a c"})
    assert overview(scores).startswith("%WER 50.00")
    assert worst_of_all(scores, 1).startswith("1 [ 1 / 2")
    assert remarks(scores) == []


def test_several_systems_are_shown_by_name_and_in_a_table(files):
    scores = files({"1": "a b"}, {"1": "a c"}, {"1": "a b"})
    first, _, shown, _ = overview(scores).split("\n\n")
    assert first.startswith("h0 (")
    lines = [line.split() for line in shown.split("\n")]
    assert lines[0] == [
        "system",
        "%WER",
        "95%",
        "interval",
        "%SER",
        "ins",
        "del",
        "sub",
    ]
    assert lines[1] == ["h0", "50.00", "100.00", "0", "0", "1"]
    assert worst_of_all(scores, 1).startswith("h0\n1 [ 1 / 2")


def test_what_one_system_lacks_is_skipped_for_all(tmp_path, files):
    # Over what each has the first would be worse, over what both have it is better.
    refs = {str(n): "a b" for n in range(20)}
    one = {n: "a b" if int(n) < 8 else "x y" for n in refs}
    other = {n: "a x" for n in refs if int(n) < 8 or n == "19"}
    del one["19"]
    scores = files(refs, one, {**other, "z": "a"}, missing="skip")
    first, second = (system.score for system in scores.systems)
    assert [u.id for u in first.utterances] == [u.id for u in second.utterances]
    assert (first.total.wer, second.total.wer) == (0, 0.5)
    [comparison] = scores.comparisons
    assert comparison.difference == first.total.wer - second.total.wer
    assert "h0 is better than h1 by 50.00 points" in overview(scores)
    assert first.missing == ("19",)
    assert len(second.missing) == len(first.left_out) == 11
    assert second.left_out == ("19",)
    assert second.extra == ("z",)
    assert "h0: 1 in REF but not in HYP, left out: 19" in remarks(scores)
    shown = "h1: 1 in HYP but not in another system's, left out of all systems' scores"
    assert f"{shown}: 19" in remarks(scores)
    assert "8 scored, 1 without a hypothesis left out, 11 that another" in overview(
        scores
    )
    with pytest.raises(ScoreError, match="no utterance of REF has a hypothesis of ev"):
        files({"1": "a", "2": "b"}, {"1": "a"}, {"2": "b"}, missing="skip")
    with pytest.raises(ScoreError, match="HYP has none of REF's 2 utterances"):
        files({"1": "a", "2": "b"}, {"3": "a"}, {"2": "b"}, missing="skip")


def test_a_name_for_each_system(tmp_path):
    ref = rows(tmp_path / "ref.jsonl", {"1": "a"})
    paths = []
    for folder in ("big", "small"):
        (tmp_path / folder).mkdir()
        paths.append(rows(tmp_path / folder / "hyp.jsonl", {"1": "a"}))
    scores = score_files(ref, paths)
    assert [system.name for system in scores.systems] == ["big", "small"]
    paths.append(rows(tmp_path / "big" / "other.jsonl", {"1": "a"}))
    scores = score_files(ref, paths)
    names = [system.name for system in scores.systems]
    assert names == ["big-hyp", "small-hyp", "big-other"]


# What utterances are grouped by


def entry(name, **fields):
    return name, Transcript(id=name, text="", **fields)


def test_labels_by_field_band_and_further_key():
    found = dict(
        [
            entry("a", speaker="t", duration=30.0, extra={"age": 10, "accent": "us"}),
            entry("b", speaker="s", duration=1.0, extra={"age": None}),
            entry("c", channel="A", extra={"age": 9}),
        ]
    )
    assert [*labels_of(found, "speaker").items()] == [
        ("b", "s"),
        ("a", "t"),
        ("c", NONE),
    ]
    assert [*labels_of(found, "age").items()] == [("c", "9"), ("a", "10"), ("b", NONE)]
    assert [*labels_of(found, "duration").items()] == [
        ("b", "below 2 s"),
        ("a", "30 s and more"),
        ("c", NONE),
    ]
    assert labels_of(found, "channel")["c"] == "A"
    with pytest.raises(ScoreError) as caught:
        labels_of(found, "sex")
    assert str(caught.value) == (
        "no utterance of REF has the key 'sex'; it has: speaker, channel, duration, "
        "age, accent"
    )


def test_labels_are_in_the_order_of_the_numbers_in_them():
    speakers = ["s10", "s9", "bob", "s9b", "2", "s"]
    found = dict(entry(name, speaker=name) for name in speakers)
    assert [*labels_of(found, "speaker")] == ["2", "bob", "s", "s9", "s9b", "s10"]


def test_labels_of_nothing():
    assert labels_of({}, "speaker") == {}
    with pytest.raises(ScoreError, match="it has: none"):
        labels_of(dict([entry("a")]), "speaker")


# What is told of words, confidences and differences


def test_words_by_how_often_they_were_seen(tmp_path, files):
    train = rows(tmp_path / "train.jsonl", {"1": "The cat", "2": "the dog the"})
    ref, hyp = {"1": "the cat sat", "2": "the mat"}, {"1": "the hat sat", "2": "the"}
    scores = files(ref, hyp, train=train, normaliser=named("basic"))
    shown = details(scores).split("\n")
    assert [line.split() for line in shown] == [
        ["seen", "in", "training", "words", "different", "%wrong"],
        ["never", "2", "2", "50.00"],
        ["1", "to", "9", "times", "3", "2", "33.33"],
        ["10", "to", "99", "times", "0", "0"],
        ["100", "to", "999", "times", "0", "0"],
        ["1000", "times", "and", "more", "0", "0"],
        ["Out", "of", "vocabulary:", "40.00%", "[", "2", "/", "5", "]"],
    ]
    write_report(tmp_path / "score.json", scores)
    [system] = read(tmp_path / "score.json")["systems"]
    assert system["by_training_frequency"][0]["words"] == 2
    assert system["word_errors"]["substitutions"] == [
        {"reference": "cat", "hypothesis": "hat", "count": 1}
    ]
    assert system["word_errors"]["deletions"] == [{"word": "mat", "count": 1}]


def test_frequent_errors(files):
    scores = files({"1": "a b c a b d"}, {"1": "x b c x b"})
    assert frequent_errors(scores, 1) == "Substituted: a -> x (2)\nDeleted: d (1)"
    assert frequent_errors(scores, 0) == ""
    two = files({"1": "a"}, {"1": "a"}, {"1": "a b"})
    assert frequent_errors(two, 3) == "h1\nInserted: b (1)"


def test_confidences(tmp_path):
    ref = tmp_path / "r.stm"
    ref.write_text("f A s 0 9 a b c d\n")
    hyp = tmp_path / "h.ctm"
    hyp.write_text("f A 0 1 a 0.9\nf A 1 1 x 0.4\nf A 2 1 c 0.8\nf A 3 1 d 0.9\n")
    scores = score_files(ref, [hyp])
    [header, line] = details(scores).split("\n")
    assert header.split() == ["confidences", "words", "%correct", "%sure", "ECE", "NCE"]
    assert line.split()[:4] == ["h", "4", "75.00", "75.00"]
    write_report(tmp_path / "score.json", scores)
    [system] = read(tmp_path / "score.json")["systems"]
    assert system["calibration"]["words"] == 4
    assert sum(b["words"] for b in system["calibration"]["bins"]) == 4


def test_differences_between_systems_are_told(tmp_path, files):
    refs = {str(n): "a b c" for n in range(40)}
    good = dict.fromkeys(refs, "a b c")
    bad = {name: "a x c" if int(name) % 3 else "x" for name in refs}
    scores = files(refs, good, bad, {**good, "1": "a b"})
    lines = overview(scores).split("\n\n")[-1].split("\n")
    assert len(lines) == 3
    assert lines[0].startswith("h0 is better than h1 by 56.67 points of WER, more than")
    assert "within noise" in lines[1]
    write_report(tmp_path / "score.json", scores)
    tree = read(tmp_path / "score.json")
    assert [c["within_noise"] for c in tree["comparisons"]] == [False, True, False]
    assert tree["comparisons"][0]["sentence"] == lines[0]


def test_marks_count_in_sclites_files_and_where_rules_write_them(tmp_path, files):
    ref, hyp = tmp_path / "r.trn", tmp_path / "h.trn"
    ref.write_text("{ Um / Uh / @ } (well) I { am / 'm } (s-1)\n")
    hyp.write_text("uh I am (s-1)\n")
    assert score_files(ref, [hyp]).systems[0].score.total.words.errors == 1
    scores = score_files(ref, [hyp], normaliser=named("basic"))
    assert scores.systems[0].score.total.words.errors == 0
    glm = tmp_path / "my.glm"
    glm.write_text("i'm => {i'm / i am} / [ ] __ [ ]\n")
    texts = {"1": "i'm here"}, {"1": "i am here"}
    assert files(*texts).systems[0].score.total.words.errors == 2
    scores = files(*texts, normaliser=of_rules(glm))
    assert scores.systems[0].score.total.words.errors == 0


@pytest.mark.parametrize("rule", ["he's => {he is / he has}", "hm => (hm)"])
def test_rules_give_no_meaning_to_marks_that_are_text(tmp_path, files, rule):
    glm = tmp_path / "my.glm"
    glm.write_text(f"{rule} / [ ] __ [ ]\n")
    ref = {"1": "i am (laughs) here", "2": "he {noise is gone @", "3": "he {noise"}
    hyp = {"1": "i am here", "2": "he {noise is gone", "3": "(uh) he {noise"}
    plain = files(ref, hyp).systems[0].score
    scores = files(ref, hyp, normaliser=of_rules(glm))
    assert plain.total.words.errors == 3
    assert scores.systems[0].score.total.words == plain.total.words
    assert remarks(scores)[0] == "normalisation (my.glm) changed no word"
    fired = {"4": "he's hm (laughs)"}, {"4": "he is (laughs)"}
    both = files(ref | fired[0], hyp | fired[1], normaliser=of_rules(glm))
    missed = {"he's => {he is / he has}": 1, "hm => (hm)": 2}[rule]
    assert both.systems[0].score.total.words.errors == 3 + missed


def test_alternatives_of_rules_are_told_as_one(tmp_path, files):
    glm = tmp_path / "my.glm"
    glm.write_text("airlines => {airlines / air lines} / [ ] __ [ ]\n")
    scores = files(
        {"1": "the airlines are"}, {"1": "the air lines"}, normaliser=of_rules(glm)
    )
    assert remarks(scores)[0] == (
        "normalisation (my.glm) changed 1 word: airlines -> {airlines / air lines} (1)"
    )


def test_a_trn_of_hypotheses_has_marks_too(tmp_path):
    """As sclite -D: optional words are left out, and the nearest alternative counts."""
    ref, hyp = tmp_path / "r.trn", tmp_path / "h.trn"
    ref.write_text("hello (laugh) there @ home (s-1)\n")
    hyp.write_text("(uh) hello { their / there / @ } home (s-1)\n")
    told = []
    for normaliser in (None, named("basic")):
        scores = score_files(ref, [hyp], normaliser=normaliser, tell=told.append)
        assert scores.systems[0].score.total.words.errors == 0
    note = "1 optional word of REF not heard counts as right, as with sclite -D"
    assert told == [note, note]
    hyp.write_text("hello { there (s-1)\n")
    with pytest.raises(ScoreError, match="s-1: "):
        score_files(ref, [hyp])


RULES = """;; as NIST's
* case_sensitive = 'F'
HE'S => {HE IS / HE HAS} / [ ] __ [ ]
GONNA => GOING TO / [ ] __ [ ]
COLOUR => COLOR
I'M => {I'M / I AM} / [ ] __ [ ]
UH => (%HES) / [ ] __ [ ]
UM => (%HES) / [ ] __ [ ]
CANNOT => [{CAN NOT / CAN'T}] / [ ] __ [ ]
"""
SAID = "he's he is has gonna going to colour color i'm i am uh um cannot can not can't"


def test_rules_with_alternatives_on_both_sides_give_sclites_errors(tmp_path):
    """Against csrfilt and sclite -D; hits aside, of which sclite has one for each
    optional word that was heard where REF has nothing."""
    rng = random.Random(0)
    texts = {"ref": {}, "hyp": {}}
    for n in range(600):
        said = rng.choices(SAID.split(), k=rng.randint(1, 10))
        heard = [w if rng.random() > 0.2 else rng.choice(SAID.split()) for w in said]
        texts["ref"][f"s_{n}"] = " ".join(said)
        texts["hyp"][f"s_{n}"] = " ".join(w for w in heard if rng.random() > 0.1)
    glm = tmp_path / "my.glm"
    glm.write_text(RULES)
    for side, of_side in texts.items():
        lines = "".join(f"{text} ({name})\n" for name, text in of_side.items())
        (tmp_path / f"{side}.trn").write_text(lines)
    paths = tmp_path / "ref.trn", [tmp_path / "hyp.trn"]
    result = score_files(*paths, normaliser=of_rules(glm)).systems[0].score
    ours = {u.id: u.score.words for u in result.utterances}
    theirs = filtered_by_sclite(tmp_path)
    assert ours.keys() == theirs.keys()
    differ = [
        name
        for name, counts in ours.items()
        if (counts.substitutions, counts.deletions, counts.insertions) != theirs[name]
    ]
    # Where alternatives of both sides meet among errors, sclite chooses both at once.
    assert len(differ) <= 3


def filtered_by_sclite(folder):
    """Return (substitutions, deletions, insertions) by id after csrfilt."""
    tools = str(Path(program("sclite")).parent)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    for side in ("ref", "hyp"):
        with (folder / f"{side}.trn").open() as lines:
            written = subprocess.run(
                [program("csrfilt.sh"), "-i", "trn", "my.glm"],
                stdin=lines,
                capture_output=True,
                text=True,
                cwd=folder,
                env=environment,
                check=True,
            ).stdout
        (folder / f"{side}.filt").write_text(written)
    files = ["-r", "ref.filt", "trn", "-h", "hyp.filt", "trn", "-i", "spu_id", "-D"]
    command = [program("sclite"), *files, "-o", "pralign", "-f", "0"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    found, name = {}, ""
    for line in (folder / "hyp.filt.pra").read_text().split("\n"):
        if line.startswith("id: ("):
            name = line[len("id: (") : -1]
        elif line.startswith("Scores:"):
            found[name] = tuple(map(int, line.split()[-3:]))
    return found


def test_an_utterance_is_a_line_of_the_json(tmp_path, files):
    scores = files({"1": "a", "2": "b"}, {"1": "a", "2": "c"})
    write_report(tmp_path / "score.json", scores)
    lines = (tmp_path / "score.json").read_text(encoding="utf-8").split("\n")
    said = [line for line in lines if line.lstrip().startswith('{"id": ')]
    assert [json.loads(line.rstrip(","))["id"] for line in said] == ["1", "2"]
    assert lines[1].startswith(' "asr_version": ')

import gzip
import json
import random
import subprocess

import pytest

from asr.errors import ManifestError, ScoreError
from asr.scoring.folder import write_folder
from asr.scoring.inputs import (
    find_kind,
    read_inputs,
    read_training,
    read_transcripts,
)
from asr.scoring.stage import score_files
from asr.scoring.timemarks import assign_words, read_ctm, read_stm
from asr.scoring.transcripts import TimedWord
from tests.sclite import program


def write(path, *lines, end="\n"):
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return path


def rows(path, *objects):
    return write(path, *map(json.dumps, objects))


def texts(path, role="ref", kind=None):
    return {t.id: t.text for t in read_transcripts(path, role, kind=kind)}


# JSON lines


def test_json_lines_of_ours_with_all_they_may_have(tmp_path):
    path = rows(
        tmp_path / "h.jsonl",
        {
            "id": "a",
            "text": "one two",
            "duration": 2,
            "speaker": 7,
            "score": -1.5,
            "words": [
                {"text": "one", "start": 0.5, "end": 0.75, "confidence": 0.9},
                {"word": "two", "start": 1, "duration": 0.5},
            ],
        },
    )
    [found] = read_transcripts(path, "hyp")
    assert (found.id, found.text, found.duration) == ("a", "one two", 2.0)
    assert found.speaker == "7"
    assert found.words == (
        TimedWord(text="one", start=0.5, duration=0.25, confidence=0.9),
        TimedWord(text="two", start=1.0, duration=0.5),
    )
    assert found.words[0].middle == 0.625
    assert found.extra == {"score": -1.5}


def test_manifests_bring_audio_times_speaker_and_further_keys(tmp_path):
    row = {
        "id": "u",
        "audio_filepath": "wav/a.wav",
        "offset": 1.5,
        "duration": 2.25,
        "text": "hello",
        "speaker": "s",
        "accent": "us",
    }
    [found] = read_transcripts(rows(tmp_path / "m.jsonl", row), "ref")
    assert found.audio == tmp_path / "wav" / "a.wav"
    assert (found.start, found.end, found.duration) == (1.5, 3.75, 2.25)
    assert (found.speaker, found.extra) == ("s", {"accent": "us"})


def test_one_nemo_manifest_is_both_reference_and_hypothesis(tmp_path):
    path = rows(
        tmp_path / "out.json",
        {"audio_filepath": "x/a.wav", "duration": 1, "text": "a b", "pred_text": "a"},
        {"audio_filepath": "y/a.wav", "duration": 1, "text": "c", "pred_text": ""},
    )
    inputs = read_inputs(path, [path])
    assert [t.text for t in inputs.references.values()] == ["a b", "c"]
    assert [t.text for t in inputs.systems[0].values()] == ["a", ""]
    assert list(inputs.references) == list(inputs.systems[0]) == ["x-a", "y-a"]


def test_numbers_are_ids(tmp_path):
    assert texts(rows(tmp_path / "h.jsonl", {"id": 7, "text": "a"})) == {"7": "a"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"id": "a"}'], r"h\.jsonl:1: no text for id 'a'"),
        (['{"id": "a", "text": null}'], "no text for id 'a'"),
        (['{"id": "a", "text": 3}'], "no text for id 'a'"),
        (['{"id": null, "text": "x"}'], "id is None; it must be one word"),
        (['{"id": ["a"], "text": "x"}'], "it must be one word"),
        (['{"text": "x"}'], r":1: no id and no audio_filepath"),
        (['{"id": "a", "text": "x"}', "[]"], r"h\.jsonl:2: is not a JSON object"),
        (['{"id": "a", "text": "x"}', "x (b)"], r"h\.jsonl:2: is not JSON"),
        (['{"id": "a", "text": "x", "speaker": [1]}'], "speaker is"),
        (['{"id": "a", "text": "x", "duration": "2"}'], "duration is '2'; it must be"),
        (['{"id": "a", "text": "x", "duration": NaN}'], "duration is nan"),
        (['{"audio_filepath": "", "text": "x"}'], ":1: no audio_filepath"),
        (['{"id": "a", "text": "x", "words": "x"}'], ":1: words is no list"),
        (['{"id": "a", "text": "x", "words": ["x"]}'], "'x' among words is no object"),
        (['{"id": "a", "text": "x", "words": [{"start": 1}]}'], "a word has no text"),
        (
            ['{"id": "a", "text": "x", "words": [{"text": "x", "start": 1}]}'],
            "needs start and end",
        ),
        (
            [
                '{"id": "a", "text": "x", '
                '"words": [{"text": "x", "start": 1, "end": 0.5}]}'
            ],
            "word 'x' ends before it starts",
        ),
        (
            [
                '{"id": "a", "text": "x", "words": '
                '[{"text": "x", "start": 0, "end": 1, "confidence": "high"}]}'
            ],
            "confidence of word 'x' is 'high'",
        ),
        (
            ['{"id": "a", "text": "x", "duration": ' + "9" * 400 + "}"],
            "duration is 999",
        ),
        (
            ['{"id": "a", "pred_text": "x"}', '{"id": "b", "text": "y"}'],
            r"h\.jsonl:2: no pred_text for id 'b'",
        ),
    ],
)
def test_bad_json_lines_are_named(tmp_path, lines, message):
    with pytest.raises(ManifestError, match=message):
        read_transcripts(write(tmp_path / "h.jsonl", *lines), "hyp")


# trn, Kaldi, plain lines


def test_trn_as_others_write_it(tmp_path):
    content = "\ufeff;; comment (x)\r\n\r\nHello (world)  (a-1)\r\nword(b)\r\n(c)\r\n"
    path = tmp_path / "a.trn"
    path.write_text(content, encoding="utf-8", newline="")
    assert texts(path) == {"a-1": "Hello (world)", "b": "word", "c": ""}


def test_kaldi_text(tmp_path):
    path = write(tmp_path / "text", "u1 hello  world", "", "u2", "\tu3\tx ", end="\r\n")
    assert texts(path) == {"u1": "hello  world", "u2": "", "u3": "x"}


def test_only_a_line_feed_ends_a_line(tmp_path):
    separators = "a\u2028b\x0bc\x85d"
    path = write(tmp_path / "h.trn", f"{separators} (u)")
    assert texts(path) == {"u": separators}


def test_plain_texts_by_line(tmp_path):
    ref = write(tmp_path / "ref.txt", "the cat", "", "sat")
    hyp = write(tmp_path / "hyp.txt", "the hat", "", "sat", end="\r\n")
    inputs = read_inputs(ref, [hyp, ref], by_line=True)
    assert {k: t.text for k, t in inputs.systems[0].items()} == {
        "1": "the hat",
        "2": "",
        "3": "sat",
    }
    assert inputs.systems[1] == inputs.references


def test_by_line_needs_as_many_lines(tmp_path):
    ref = write(tmp_path / "ref.txt", "a", "b")
    hyp = write(tmp_path / "hyp.txt", "a", "b", "c")
    with pytest.raises(ScoreError, match=r"hyp\.txt: has 3 lines and .*ref\.txt 2"):
        read_inputs(ref, [hyp], by_line=True)


@pytest.mark.parametrize(
    ("kind", "lines", "message"),
    [
        ("trn", ["just words"], r"f:1: is not a trn line: words \(id\)"),
        ("trn", ["x (a)", "words (two ids)"], "f:2: is not a trn line"),
        ("kaldi", ['{"id": "a"}'], "f:1: is JSON; expected Kaldi's text: id words"),
        ("json", ["u1 words"], "f:1: is not JSON"),
        ("stm", ["u1 words"], r"f:1: is not an stm line: file channel speaker start"),
        ("stm", ["f 1 s 0 x hello"], "f:1: is not an stm line: 'x' is no number"),
        ("stm", ["f 1 s 0 nan hello"], "'nan' is no number"),
        ("stm", ["f 1 s 2 1 hello"], r"f:1: the segment ends at 1\.0 before"),
        ("ctm", ["f 1 0.5 0.1"], "f:1: is not a ctm line: file channel start duration"),
        ("ctm", ["f 1 0.5 0.1 new york"], "'york' is no number in: file channel"),
        ("ctm", ["f 1 x 0.1 new"], "f:1: is not a ctm line: 'x' is no number"),
        ("ctm", ["f 1 1 -0.1 new"], r"f:1: the word ends 0\.1 s before it starts"),
        ("ctm", ["f 1 1 1 a", "f 1 * * <ALT_BEGIN>"], "f:2: <ALT_BEGIN> marks altern"),
        ("ctm", ["f 1 0 1 a", "f 2 0 1 a"], "utterance 'f' has channels '1' and '2'"),
    ],
)
def test_a_wrong_kind_names_line_and_what_was_expected(tmp_path, kind, lines, message):
    with pytest.raises(ManifestError, match=message):
        read_transcripts(write(tmp_path / "f", *lines), "ref", kind=kind)


# What all kinds share


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("f.jsonl", '{{"id": "{}", "text": "x"}}'),
        ("f.json", '{{"id": "{}", "audio_filepath": "a.wav", "text": "x"}}'),
        ("f.trn", "x ({})"),
        ("text", "{} x"),
    ],
)
def test_all_duplicates_are_named_with_their_lines(tmp_path, name, line):
    path = write(tmp_path / name, *(line.format(u) for u in ("u1", "u2", "u1", "u2")))
    with pytest.raises(ManifestError) as caught:
        read_transcripts(path, "ref")
    message = str(caught.value)
    assert message.startswith(f"{path}:3: 2 ids occur more than once")
    assert "'u1' (lines 1, 3)" in message
    assert "'u2' (lines 2, 4)" in message


def test_duplicate_segments_are_named(tmp_path):
    path = write(tmp_path / "f.stm", "f 1 s 0 1 a", "f 1 s 0 1 b")
    with pytest.raises(ManifestError, match=r"f\.stm:2: 1 id occurs more than once"):
        read_stm(path)


@pytest.mark.parametrize("name", ["none.trn", "none.jsonl", "none.stm", "text"])
def test_files_that_are_not_there(tmp_path, name):
    with pytest.raises(ManifestError, match="no such file"):
        read_transcripts(tmp_path / name, "ref")


def test_folders_and_other_encodings(tmp_path):
    with pytest.raises(ManifestError, match="is a folder"):
        read_transcripts(tmp_path, "ref")
    (tmp_path / "latin.trn").write_bytes(b"ok (b)\ncaf\xe9 (a)\n")
    with pytest.raises(ManifestError, match=r"latin\.trn:2: is not UTF-8 text"):
        read_transcripts(tmp_path / "latin.trn", "ref")


@pytest.mark.parametrize("name", ["f.jsonl", "f.trn", "f.stm", "f.ctm", "text"])
def test_nothing_in_a_file_is_no_transcript(tmp_path, name):
    assert read_transcripts(write(tmp_path / name), "ref") == []
    assert read_transcripts(write(tmp_path / name, ""), "ref") == []


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (['{"id": "a", "text": "x"}'], "json"),
        ([";; c", "words here (u1)", "(u2)"], "trn"),
        (["f A s 0.0 1.5 hello", "f A s 1.5 2 <o,m>"], "stm"),
        (["f A 0.1 0.2 hello", "f A 0.4 0.2 you 0.5"], "ctm"),
        (["utt_1 hello", "utt_2"], "kaldi"),
        (["alice-in hello"], "kaldi"),
        ([], "kaldi"),
    ],
)
def test_content_tells_the_kind_where_the_name_does_not(tmp_path, lines, kind):
    assert find_kind(write(tmp_path / "file.txt", *lines)) == kind


def test_plain_lines_are_not_taken_for_ids_and_words(tmp_path):
    path = write(tmp_path / "plain.txt", "2nd line", "hello world")
    with pytest.raises(ManifestError, match=r"plain\.txt:2: nothing tells .*--by-line"):
        find_kind(path)


def test_a_kind_is_for_hypotheses_and_for_references_without_a_telling_name(tmp_path):
    ref = rows(tmp_path / "ref.jsonl", {"id": "alice", "text": "a b"})
    hyp = write(tmp_path / "hyp.txt", "alice a c")
    inputs = read_inputs(ref, [hyp], kind="kaldi")
    assert inputs.systems[0]["alice"].text == "a c"
    assert read_inputs(hyp, [hyp], kind="kaldi").references["alice"].text == "a c"
    with pytest.raises(ManifestError, match=r"hyp\.txt:1: is not a trn line"):
        read_inputs(ref, [hyp], kind="trn")


@pytest.mark.parametrize(
    ("name", "line", "marked"),
    [
        ("r.trn", "{ a / b } (u1)", True),
        ("r.stm", "u1 A s 0 1 (a)", True),
        ("r.jsonl", '{"id": "u1", "text": "(a)"}', False),
        ("text", "u1 (a)", False),
    ],
)
def test_marks_are_marks_in_sclites_files_alone(tmp_path, name, line, marked):
    ref = write(tmp_path / name, line)
    assert read_inputs(ref, []).marked == marked


def test_hostile_texts_come_as_they_are(tmp_path):
    hostile = [
        "<b>&amp;</b>",
        "שלום עולם",
        "e\u0301",
        "👩‍👩‍👧",
        "\x1b[31m",
        "w " * 100_000,
    ]
    names = [f"u{n}" for n in range(len(hostile))]
    wanted = dict(zip(names, (text.strip() for text in hostile), strict=True))
    assert (
        texts(write(tmp_path / "f.trn", *(f"{t} ({n})" for n, t in wanted.items())))
        == wanted
    )
    assert (
        texts(write(tmp_path / "text", *(f"{n} {t}" for n, t in wanted.items())))
        == wanted
    )
    found = rows(tmp_path / "f.jsonl", *({"id": n, "text": wanted[n]} for n in names))
    assert texts(found) == wanted


# stm and ctm

STM = [
    ';; LABEL "O" "Overall" ""',
    "f A s1 0.00 1.00 <O,M> a b",
    "f A s2 1.00 2.00 c",
    "f A s1 2.00 2.50 Ignore_Time_Segment_In_Scoring",
    "f A s1 3.00 4.00",
    "f B s3 0 9 d",
    "g A s3 0 1 e",
]


def test_stm_lines(tmp_path):
    segments = read_stm(write(tmp_path / "r.stm", *STM))
    assert [s.ignored for s in segments] == [False, False, True, False, False, False]
    first = segments[0].transcript
    assert (first.id, first.text) == ("f_A_s1_0.00_1.00", "a b")
    assert (first.speaker, first.channel) == ("s1", "A")
    assert (first.start, first.end, first.duration) == (0.0, 1.0, 1.0)
    assert first.extra == {"label": "O,M"}
    assert segments[3].transcript.text == ""


def test_words_go_to_segments_by_their_middle(tmp_path):
    stm = write(tmp_path / "r.stm", *STM)
    ctm = write(
        tmp_path / "h.ctm",
        ";; comment",
        "f A 0.10 0.20 a 0.9",
        "f A 0.80 0.30 b NA",  # middle 0.95
        "f A 0.98 0.20 c 0.5 lex s2",  # middle 1.08
        "f A 2.10 0.10 lost",
        "f A 2.60 0.10 gap",  # in no segment: with the next one
        "f A 8.00 0.10 tail",
        "f B 1.00 0.10 d",
        "h A 1.00 0.10 other",
    )
    inputs = read_inputs(stm, [ctm])
    assert list(inputs.references) == [
        "f_A_s1_0.00_1.00",
        "f_A_s2_1.00_2.00",
        "f_A_s1_3.00_4.00",
        "f_B_s3_0_9",
        "g_A_s3_0_1",
    ]
    # g has no words at all: missing, not empty. h is in no segment: extra.
    assert {k: t.text for k, t in inputs.systems[0].items()} == {
        "f_A_s1_0.00_1.00": "a b",
        "f_A_s2_1.00_2.00": "c",
        "f_A_s1_3.00_4.00": "gap tail",
        "f_B_s3_0_9": "d",
        "h_A": "other",
    }
    words = inputs.systems[0]["f_A_s1_0.00_1.00"].words
    assert [word.confidence for word in words] == [0.9, None]


def test_files_of_marks_may_come_in_any_order(tmp_path):
    stm, ctm = write(tmp_path / "r.stm", *STM), write(tmp_path / "h.ctm", *random_ctm())
    lines = random_ctm()
    random.Random(3).shuffle(lines)
    mixed = write(tmp_path / "mixed.ctm", *lines)
    assert assign_words(read_stm(stm), read_ctm(ctm)) == assign_words(
        read_stm(stm), read_ctm(mixed)
    )


def random_ctm():
    rng = random.Random(0)
    starts = sorted(rng.sample(range(900), 40))
    return [f"f A {start / 100:.2f} 0.1 w{start}" for start in starts]


def test_recordings_of_a_ctm_are_utterances_where_ref_has_no_segments(tmp_path):
    ref = write(tmp_path / "text", "u1 a b", "u2 c")
    hyp = write(
        tmp_path / "h.ctm", "u1 1 0.5 0.1 b 0.5", "u1 1 0.0 0.1 a", "u2 1 0 1 c"
    )
    [system] = read_inputs(ref, [hyp]).systems
    assert {k: t.text for k, t in system.items()} == {"u1": "a b", "u2": "c"}
    assert system["u1"].words[1].confidence == 0.5


def test_a_stm_as_reference_of_other_files(tmp_path):
    stm = write(tmp_path / "r.stm", "f A s 0 1 a b", "f A s 1 2 IGNORE_TIME_SEGMENT_IN"
                "_SCORING")  # fmt: skip
    hyp = write(tmp_path / "h.trn", "a c (f_A_s_0_1)")
    inputs = read_inputs(stm, [hyp])
    assert list(inputs.references) == ["f_A_s_0_1"]
    assert inputs.systems[0]["f_A_s_0_1"].text == "a c"
    assert texts(stm) == {"f_A_s_0_1": "a b"}


def random_marks(rng):
    """Return lines of a stm and a ctm whose edges meet, overlap and leave gaps."""
    stm, ctm = [], []
    for file in ("f1", "f2", "f3")[: rng.randint(1, 3)]:
        for channel in "AB"[: rng.randint(1, 2)]:
            start, segments = rng.randint(0, 100), []
            for _ in range(rng.randint(1, 6)):
                end = start + rng.randint(5, 200)
                segments.append((start, end, rng.choice("xyz")))
                gap = rng.choice([0, 0, rng.randint(1, 100), -rng.randint(1, 100)])
                start = max(0, end + gap)
            for start, end, speaker in sorted(segments, key=lambda s: s[0]):
                text = " ".join(rng.choices("abc", k=rng.randint(0, 4)))
                if rng.random() < 0.15:
                    text = "IGNORE_TIME_SEGMENT_IN_SCORING"
                times = f"{start / 100:.2f} {end / 100:.2f}"
                label = rng.choice(["", "<o,m>"])
                stm.append(f"{file} {channel} {speaker} {times} {label} {text}")
            last = max(end for _, end, _ in segments) + 100
            words = [(rng.randint(0, last), rng.randint(0, 60)) for _ in range(20)]
            for start, duration in sorted(words):
                times = f"{start / 100:.2f} {duration / 100:.2f}"
                ctm.append(f"{file} {channel} {times} {rng.choice('abc')}{len(ctm)}")
    return stm, ctm


def sclite_alignments(folder):
    """Return the lines of sclite's alignments of r.stm and h.ctm."""
    files = ["-r", "r.stm", "stm", "-h", "h.ctm", "ctm"]
    command = [program("sclite"), *files, "-o", "pralign", "-f", "0"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return (folder / "h.ctm.pra").read_text().split("\n")


def sclite_segments(folder):
    """Return the words that sclite hears in each ``speaker-number``."""
    found = {}
    for line in sclite_alignments(folder):
        if line.startswith("id: ("):
            name = line[len("id: (") : -1]
            found[name] = []
        elif line.startswith("HYP: "):
            words = line[len("HYP: ") :].lower().split()
            found[name] = [word for word in words if set(word) != {"*"}]
    return found


@pytest.mark.parametrize("seed", range(60))
def test_segments_get_the_words_that_sclite_gives_them(tmp_path, seed):
    stm, ctm = random_marks(random.Random(seed))
    write(tmp_path / "r.stm", *stm)
    write(tmp_path / "h.ctm", *ctm)
    heard = assign_words(read_stm(tmp_path / "r.stm"), read_ctm(tmp_path / "h.ctm"))
    ours, numbers = {}, {}
    for transcript in heard:
        number = numbers[transcript.speaker] = numbers.get(transcript.speaker, -1) + 1
        ours[f"{transcript.speaker}-{number:03}"] = transcript.text.split()
    assert ours == sclite_segments(tmp_path)


def test_counts_of_segments_are_sclites_for_each_speaker(tmp_path):
    """The whole way: read, assign, align, count, as ``sclite -r stm -h ctm`` does."""
    stm, ctm = [], []
    for seed in range(40):
        # Files of their own, and words that match now and then.
        lines = [[f"s{seed}{line}" for line in part] for part in both(seed)]
        stm, ctm = stm + lines[0], ctm + lines[1]
    write(tmp_path / "r.stm", *stm)
    write(tmp_path / "h.ctm", *ctm)
    scores = score_files(tmp_path / "r.stm", [tmp_path / "h.ctm"])
    ours = {}
    for utterance in scores.systems[0].score.utterances:
        words = utterance.score.words
        counts = (words.hits, words.substitutions, words.deletions, words.insertions)
        before = ours.get(utterance.speaker, (0, 0, 0, 0))
        ours[utterance.speaker] = tuple(map(sum, zip(before, counts, strict=True)))
    assert scores.systems[0].score.missing == ()
    assert sum(map(sum, ours.values())) > 2000
    assert ours == sclite_counts(tmp_path)


def both(seed):
    stm, ctm = random_marks(random.Random(seed))
    return stm, [line.rstrip("0123456789") for line in ctm]


def sclite_counts(folder):
    """Return (hits, substitutions, deletions, insertions) of each speaker."""
    found, speaker = {}, ""
    for line in sclite_alignments(folder):
        if line.startswith("id: ("):
            speaker = line[len("id: (") : -len("-000)")]
        elif line.startswith("Scores:"):
            counts = map(int, line.split()[-4:])
            before = found.get(speaker, (0, 0, 0, 0))
            found[speaker] = tuple(map(sum, zip(before, counts, strict=True)))
    return found


# Files that nothing but their content tells, or that are not what was said


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["u1 a", "u2 b"], "kaldi"),
        (["1089-134686-0000 A", "1089-134686-0001 B"], "kaldi"),
        (["spk_a_b one", "spk_a_c two"], "kaldi"),
        (["{ uh / um } hello (s-1)", "bye now (s-2)"], "trn"),
        (['{"id": "a", "text": "b"}'], "json"),
    ],
)
def test_kinds_by_content(tmp_path, lines, kind):
    assert find_kind(write(tmp_path / "some.txt", *lines)) == kind


@pytest.mark.parametrize("line", ["1 2 3", "- a b", "_ a", "3.5 a", "two b"])
def test_words_and_numbers_are_no_ids(tmp_path, line):
    path = write(tmp_path / "some.txt", line)
    with pytest.raises(ManifestError, match="nothing tells what this file is"):
        find_kind(path)
    assert find_kind(write(tmp_path / "text", line)) == "kaldi"


def test_what_was_guessed_is_said(tmp_path):
    ref, hyp = (
        write(tmp_path / "ref.txt", "u1 a"),
        write(tmp_path / "hyp.txt", "b (u1)"),
    )
    assert read_inputs(ref, [hyp]).notes == (
        f"read by contents: {ref} as Kaldi's 'id words', {hyp} as trn; --kind says it "
        "if that is wrong",
    )
    assert read_inputs(ref, [ref], kind="kaldi").notes == (f"{ref} is REF itself",)
    named = write(tmp_path / "text", "u1 a")
    assert read_inputs(named, [write(tmp_path / "h.trn", "a (u1)")]).notes == ()


@pytest.mark.parametrize(
    ("name", "line", "kind"),
    [
        ("a.trn", "a b", "trn"),
        ("a.txt", "a b (u1)", "trn"),
        ("a.txt", '{"id": "u1", "text": "a"}', "json"),
        ("a.jsonl", "a", "json"),
        ("a.txt", "f A 0 1 word 0.5", "ctm"),
        ("a.txt", "f A s 0 1 words", "stm"),
    ],
)
def test_by_line_is_for_plain_texts_alone(tmp_path, name, line, kind):
    path = write(tmp_path / name, line)
    with pytest.raises(ManifestError) as caught:
        read_inputs(path, [path], by_line=True)
    assert str(caught.value) == f"{path}: looks like {kind}; leave out --by-line"


def test_ids_that_are_words_by_line_are_told(tmp_path):
    path = write(tmp_path / "a.txt", "u1 a", "u2 b")
    [note, _] = read_inputs(path, [path], by_line=True).notes
    assert note == f"every line of {path} begins with what looks like an id; by line, it is a word"  # fmt: skip  # noqa: E501


def test_files_that_hold_lines_but_otherwise(tmp_path):
    packed, array = tmp_path / "h.jsonl.gz", tmp_path / "h.json"
    packed.write_bytes(gzip.compress(b'{"id": "a", "text": "b"}\n'))
    array.write_text('[\n {"id": "a", "text": "b"}\n]\n')
    with pytest.raises(ManifestError, match=r"h\.jsonl\.gz: is compressed with gzip"):
        read_transcripts(packed, "hyp")
    with pytest.raises(ManifestError, match=r"h\.json: is one JSON array; write each"):
        read_transcripts(array, "hyp")


def test_hypotheses_without_ids_are_found_by_their_audio(tmp_path):
    names = ["a/1.wav", "a/2.wav", "b/1.wav"]
    lines = [{"audio_filepath": f"/data/{n}", "text": n[0]} for n in names]
    ref = rows(tmp_path / "ref.json", *lines)
    some = [
        {**lines[2], "pred_text": "x"},
        {**lines[1], "offset": 3.5, "pred_text": "y"},
    ]
    inputs = read_inputs(ref, [rows(tmp_path / "hyp.json", *some)])
    assert list(inputs.references) == ["a-1", "a-2", "b-1"]
    [system] = inputs.systems
    assert {k: t.audio.as_posix() for k, t in system.items()}["b-1"] == "/data/b/1.wav"
    part = read_inputs(ref, [rows(tmp_path / "part.json", *lines[:2])]).systems[0]
    assert list(part) == ["a-1", "a-2"]
    moved = [{**line, "audio_filepath": f"/mnt{line['audio_filepath']}"}
             for line in lines]  # fmt: skip
    system = read_inputs(ref, [rows(tmp_path / "moved.json", *moved)]).systems[0]
    assert list(system) == ["a-1", "a-2", "b-1"]


def test_training_texts_of_any_kind(tmp_path):
    plain = write(tmp_path / "words.txt", "the cat", "the cat", "sat")
    texts, [note] = read_training(plain)
    assert texts == ["the cat", "the cat", "sat"]
    assert note == f"{plain} was read as plain text, line by line, by its contents"
    assert read_training(write(tmp_path / "text", "a b", "a c"))[0] == ["b", "c"]
    assert read_training(write(tmp_path / "t.trn", "b (a)", "c (a)"))[0] == ["b", "c"]
    assert read_training(rows(tmp_path / "t.jsonl", {"text": "b"})) == (["b"], ())
    with pytest.raises(ManifestError, match=r"n\.jsonl:1: no text"):
        read_training(rows(tmp_path / "n.jsonl", {"id": "b"}))


def test_confidences_without_times(tmp_path):
    words = [{"word": "a", "confidence": 0.9}, {"word": "b", "confidence": 0.2}]
    hyp = rows(tmp_path / "h.jsonl", {"id": "u", "text": "a b", "words": words})
    ref = rows(tmp_path / "r.jsonl", {"id": "u", "text": "a c", "recording": "r1"})
    scores = score_files(ref, [hyp], by=["recording"])
    assert list(scores.systems[0].groups["recording"]) == ["r1"]
    assert scores.systems[0].calibration.words == 2
    write_folder(tmp_path / "out", scores)
    assert not (tmp_path / "out" / "hyp.ctm").exists()


@pytest.mark.parametrize(("inside", "shown"), [(3, True), (1, False)])
def test_confidences_that_are_no_probabilities_are_told(tmp_path, inside, shown):
    sure = [0.5] * inside + [95.0] * 2
    words = [{"word": "a", "confidence": value} for value in sure]
    text = " ".join("a" for _ in sure)
    hyp = rows(tmp_path / "h.jsonl", {"id": "u", "text": text, "words": words})
    told = []
    ref = rows(tmp_path / "r.jsonl", {"id": "u", "text": text})
    scores = score_files(ref, [hyp], tell=told.append)
    assert (scores.systems[0].calibration is not None) == shown
    assert told == [
        f"2 of {inside + 2} confidences are not from 0 to 1 and left out; write "
        "probabilities"
    ]


def test_speakers_of_a_file_beside(tmp_path):
    ref = write(tmp_path / "text", "u1 a", "u2 b")
    speakers = write(tmp_path / "utt2spk", "u1 bob", "u2 ann", "u3 eve")
    scores = score_files(ref, [ref], speakers=speakers, by=["speaker"])
    assert list(scores.systems[0].groups["speaker"]) == ["ann", "bob"]
    with pytest.raises(ScoreError, match="no speaker for 1 of REF's 2 utterances: u2"):
        score_files(ref, [ref], speakers=write(tmp_path / "one", "u1 bob"))
    with pytest.raises(ManifestError, match=r"bad:1: is not of two words: id speaker"):
        score_files(ref, [ref], speakers=write(tmp_path / "bad", "u1"))

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from asr.hypotheses import Alternative, Hypothesis, Word, to_json, to_trn
from asr.scoring.inputs import read_transcripts

TEXT = st.text(st.characters(codec="utf-8"))
WORD = TEXT.map(lambda text: "".join(text.split())).filter(bool)


def heard(name, text):
    return Hypothesis(id=name, text=text, score=-1.23456, duration=2.0004)


def read_back(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {t.id: t.text for t in read_transcripts(path, "hyp")}


@given(st.dictionaries(WORD.filter(lambda word: ")(" not in word), TEXT, max_size=5))
def test_trn_round_trip(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("t") / "a.trn"
    found = read_back(path, [to_trn(heard(*item)) for item in texts.items()])
    assert found == {name: " ".join(text.split()) for name, text in texts.items()}


@given(st.dictionaries(WORD, TEXT, max_size=5))
def test_json_round_trip(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("j") / "a.jsonl"
    assert read_back(path, [to_json(heard(*item)) for item in texts.items()]) == texts


def test_json_line_has_every_field():
    line = to_json(heard("a", "é"))
    assert line == '{"id": "a", "text": "é", "duration": 2.0, "score": -1.2346}'


def test_trn_ids_may_hold_brackets(tmp_path):
    lines = [to_trn(heard("call_(2)", "one two")), to_trn(heard("(3)", ""))]
    assert read_back(tmp_path / "a.trn", lines) == {"call_(2)": "one two", "(3)": ""}


def test_trn_text_that_looks_like_a_comment_or_two_lines(tmp_path):
    lines = [to_trn(heard("a", ";; not a comment")), to_trn(heard("b", "x\ny"))]
    found = read_back(tmp_path / "a.trn", lines)
    assert found == {"a": ";; not a comment", "b": "x y"}


def test_json_line_has_what_was_asked_for():
    words = (
        Word(text="a", start=0.1234, end=0.5, confidence=0.25),
        Word(text="b", start=0.5, end=1, confidence=0.75),
    )
    asked = replace(
        heard("u", "a b"),
        words=words,
        n_best=(Alternative(text="a b", score=-1), Alternative(text="a", score=-2)),
    )
    row = json.loads(to_json(asked))
    assert row["confidence"] == 0.5
    assert row["words"] == [
        {"text": "a", "start": 0.123, "end": 0.5, "confidence": 0.25},
        {"text": "b", "start": 0.5, "end": 1, "confidence": 0.75},
    ]
    assert row["n_best"] == [{"text": "a b", "score": -1}, {"text": "a", "score": -2}]
    nothing = json.loads(to_json(replace(heard("u", ""), words=())))
    assert (nothing["confidence"], nothing["words"]) == (None, [])


def test_json_has_no_score_where_nothing_was_allowed():
    row = json.loads(to_json(replace(heard("u", ""), score=float("-inf"))))
    assert row["score"] is None

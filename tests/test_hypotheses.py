import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ManifestError
from asr.hypotheses import Hypothesis, read_texts, to_json, to_trn

TEXT = st.text(st.characters(codec="utf-8"))


def write_trn(path, texts):
    heard = [Hypothesis(id=n, text=t, score=0.0, duration=1.0) for n, t in texts]
    path.write_text("".join(f"{to_trn(h)}\n" for h in heard), encoding="utf-8")


WORD = TEXT.map(lambda text: "".join(text.split())).filter(bool)


@given(st.dictionaries(WORD.filter(lambda word: ")(" not in word), TEXT, max_size=5))
def test_trn_round_trip(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("t") / "a.trn"
    write_trn(path, texts.items())
    spaced = {name: " ".join(text.split()) for name, text in texts.items()}
    assert read_texts(path) == spaced


@given(st.dictionaries(WORD, TEXT, max_size=5))
def test_json_round_trip(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("j") / "a.jsonl"
    found = [
        Hypothesis(id=name, text=text, score=-1.0, duration=1.0)
        for name, text in texts.items()
    ]
    path.write_text("".join(f"{to_json(h)}\n" for h in found), encoding="utf-8")
    assert read_texts(path) == texts


def test_json_line_has_every_field():
    line = to_json(Hypothesis(id="a", text="é", score=-1.23456, duration=2.0004))
    assert line == '{"id": "a", "text": "é", "duration": 2.0, "score": -1.2346}'


def write(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def test_trn_as_others_write_it(tmp_path):
    content = "\ufeff;; comment (x)\r\n\r\nHello (world)  (a-1)\r\nword(b)\r\n(c)\r\n"
    assert read_texts(write(tmp_path / "a.trn", content)) == {
        "a-1": "Hello (world)",
        "b": "word",
        "c": "",
    }


def test_trn_ids_may_hold_brackets(tmp_path):
    path = tmp_path / "a.trn"
    write_trn(path, [("call_(2)", "one two"), ("(3)", "")])
    assert read_texts(path) == {"call_(2)": "one two", "(3)": ""}


def test_trn_text_that_looks_like_a_comment_or_two_lines(tmp_path):
    write_trn(tmp_path / "a.trn", [("a", ";; not a comment"), ("b", "x\ny")])
    texts = read_texts(tmp_path / "a.trn")
    assert texts == {"a": ";; not a comment", "b": "x y"}


def test_manifest_without_ids_has_those_of_the_manifest(tmp_path):
    rows = [{"audio_filepath": f"wav/{n}/a.wav", "text": n} for n in "xy"]
    path = write(tmp_path / "m.jsonl", "\n".join(map(json.dumps, rows)))
    assert read_texts(path) == {"x-a": "x", "y-a": "y"}


def test_numbers_are_ids(tmp_path):
    path = write(tmp_path / "h.jsonl", '{"id": 7, "text": "a"}\n')
    assert read_texts(path) == {"7": "a"}


def test_no_lines_no_texts(tmp_path):
    assert read_texts(write(tmp_path / "h.jsonl", "\n")) == {}
    assert read_texts(write(tmp_path / "h.trn", "")) == {}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("h.jsonl", '{"id": "a"}', r"h\.jsonl:1: no text for id 'a'"),
        ("h.jsonl", '{"id": "a", "text": null}', "no text for id 'a'"),
        ("h.jsonl", '{"id": "a", "text": 3}', "no text for id 'a'"),
        ("h.jsonl", '{"id": null, "text": "x"}', "id is None; it must be one word"),
        ("h.jsonl", '{"id": ["a"], "text": "x"}', "it must be one word"),
        ("h.jsonl", '{"text": "x"}', "no audio_filepath"),
        (
            "h.jsonl",
            '{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}',
            r"h\.jsonl:2: id 'a' occurs a second time",
        ),
        ("h.trn", "x (a)\ny (a)", r"h\.trn:2: id 'a' occurs a second time"),
        ("h.trn", "just words", r"h\.trn:1: is not a trn line"),
        ("h.trn", "words (two ids)", r"h\.trn:1: is not a trn line"),
    ],
)
def test_bad_lines_are_named(tmp_path, name, content, message):
    with pytest.raises(ManifestError, match=message):
        read_texts(write(tmp_path / name, content))


def test_files_that_cannot_be_read(tmp_path):
    for name in ("none.trn", "none.jsonl"):
        with pytest.raises(ManifestError, match="no such file"):
            read_texts(tmp_path / name)
    (tmp_path / "latin.trn").write_bytes(b"caf\xe9 (a)\n")
    with pytest.raises(ManifestError, match="cannot be read"):
        read_texts(tmp_path / "latin.trn")


def test_plain_text_is_told_what_to_do(tmp_path):
    path = write(tmp_path / "hyp.txt", "a\tone two\n")
    with pytest.raises(ManifestError, match=r"not JSON.*--format jsonl"):
        read_texts(path)

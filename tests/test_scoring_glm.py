import random
import subprocess

import pytest

from asr.errors import ManifestError, ScoreError
from asr.scoring.glm import read_glm
from tests.sclite import program


def rules(path, *lines):
    file = path / "rules.glm"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read_glm(file)


def apply(path, text, *lines, side="ref"):
    return rules(path, *lines).compiled(side)(text)


@pytest.mark.parametrize(
    ("rule", "text", "written"),
    [
        ("colour => color", "colours of colour", "colors of color"),
        ("gonna => going to / [ ] __ [ ]", "gonna gonnas", "going to gonnas"),
        ("[ uh ] => [ ]", "uh a uh b uh", "a b"),
        ("um => [] / [ ] __ [ ]", "um a um um", "a"),
        ("Falk => Faulk / [William ] __", "Falk William Falk", "Falk William Faulk"),
        ("t. => tee / __ [ shirt]", "t. shirt t. x", "tee shirt t. x"),
        ('"a b" => "c"', "a b a", "c a"),
        ("'em => them", "get 'em", "get them"),
        ("[he's] => [{he is / he has}] / [ ] __ [ ]", "he's", "{he is / he has}"),
        ("x => {y / z w} / [ ] __ [ ]", "x", "{y / z w}"),
        ("x => {y / z} ;; no context", "x", "{y / z}"),
        ("x => [y/z]", "x", "y/z"),
        ("a => b", "", ""),
        ("a.c => x", "abc a.c", "abc x"),
    ],
)
def test_a_rule(tmp_path, rule, text, written):
    assert apply(tmp_path, text, rule) == written


def test_the_first_rule_that_fits_wins_and_is_not_looked_at_again(tmp_path):
    assert apply(tmp_path, "ab b", ";; x", "a => b", "ab => c", "b => d") == "bd d"


def test_without_case_the_whole_text_is_lower_case(tmp_path):
    lines = ["* case_sensitive = 'F'", "GONNA => GOING TO / [ ] __ [ ]"]
    assert apply(tmp_path, "I'm Gonna GO", *lines) == "i'm going to go"
    assert apply(tmp_path, "Gonna", lines[1]) == "Gonna"


def test_optional_words_stay_optional(tmp_path):
    line = "gonna => going to / [ ] __ [ ]"
    assert apply(tmp_path, "(gonna) go (uh)", line) == "(going) (to) go (uh)"


def test_rules_may_be_for_one_side(tmp_path):
    lines = [
        "a => b",
        ';; INPUT_DEPENDENT_APPLICATION = "ctm"',
        "c => d",
        ';; INPUT_DEPENDENT_APPLICATION = "(STM|ref)"',
        "e => f",
        ';; INPUT_DEPENDENT_APPLICATION = ".*"',
        "g => h",
    ]
    assert apply(tmp_path, "a c e g", *lines) == "b c f h"
    assert apply(tmp_path, "a c e g", *lines, side="hyp") == "b d e h"


def test_no_rules_change_nothing(tmp_path):
    assert apply(tmp_path, "A  b", ";; nothing here", "") == "A b"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("colour color", r"rules\.glm:2: is not a rule: old => new"),
        ("=> x", r"rules\.glm:2: has nothing before =>"),
        ("[] => x", "has nothing before =>"),
        ("a => b / [ ]", r"rules\.glm:2: '\[ \]' is not a context: left __ right"),
        ("* format = 'NIST2'", r"rules\.glm:2: format 'nist2' is not supported"),
        ("* copy_no_hit = 'F'", r"rules\.glm:2: copy_no_hit = 'F' is not supported"),
        ("* case_sensitive = 'perhaps'", "case_sensitive is 'perhaps'"),
        ("* case_sensitive", r"is not a setting: \* name = 'value'"),
        (';; INPUT_DEPENDENT_APPLICATION = "("', "no regular expression"),
    ],
)
def test_what_is_not_supported_is_refused_by_line(tmp_path, line, message):
    with pytest.raises(ScoreError, match=message):
        rules(tmp_path, ";; a comment", line)


def test_headers_that_say_nothing_new_are_read(tmp_path):
    lines = ['* name "x.glm"', "* format = 'NIST1'", "* max_nrules = '9'"]
    assert apply(tmp_path, "a", *lines, "* copy_no_hit = 'T'", "a => b") == "b"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ManifestError, match="no such file"):
        read_glm(tmp_path / "none.glm")


def random_rules(rng):
    def word():
        return "".join(rng.choices("abAB", k=rng.randint(1, 3)))

    case = rng.choice("TF")
    lines = [";; x", f"* case_sensitive = '{case}'"]
    for _ in range(rng.randint(1, 15)):
        before = rng.choice([word(), f"{word()} {word()}", f"[ {word()} ]"])
        after = rng.choice([word(), f"[{word()} ]", f"{{{word()} / {word()}}}"])
        contexts = ["[ ] __ [ ]", "[ ] __", "__ [ ]", f"[{word()} ] __", f"{word()} __"]
        context = rng.choice([*contexts, *([] if "/" in after else [""])])
        slash = " / " if context else ""
        lines.append(f"{before} => {after}{slash}{context} ;; note")
    return lines, case == "F"


@pytest.mark.parametrize("seed", range(40))
def test_rules_write_what_rfilter1_writes(tmp_path, seed):
    rng = random.Random(seed)
    lines, fold = random_rules(rng)
    texts = [
        " ".join("".join(rng.choices("abAB", k=2)) for _ in range(rng.randint(1, 8)))
        for _ in range(30)
    ]
    rewrite = rules(tmp_path, *lines).compiled("ref")
    written = subprocess.run(
        [program("rfilter1"), "rules.glm"],
        input="".join(f" {text} \n" for text in texts),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    ).stdout
    wanted = [" ".join(line.split()) for line in written.split("\n")[: len(texts)]]
    assert [rewrite(text) for text in texts] == [
        line.lower() if fold else line for line in wanted
    ]

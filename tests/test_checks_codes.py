"""The table of codes, the code that finds them, and the page that lists them."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from asr.checks.codes import CODES, SEVERITIES, Fix, Group, Severity

CHECKS = Path(__file__).parents[1] / "asr" / "checks"
PAGE = CHECKS / "README.md"
GROUPS = {code.split("-")[0] for code in CODES}


def strings():
    """Return all strings in the modules of the checks, save the table itself."""
    found = set()
    for path in CHECKS.glob("*.py"):
        if path.name != "codes.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return found


def test_every_code_is_found_by_something_and_every_finding_has_a_code():
    like_a_code = re.compile(rf"(?:{'|'.join(GROUPS)})-[a-z-]+")
    assert {text for text in strings() if like_a_code.fullmatch(text)} == CODES.keys()


@pytest.mark.parametrize("name", CODES)
def test_codes_are_well_formed(name):
    code = CODES[name]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", name)
    assert code.severity in SEVERITIES
    assert code.group in get_args(Group)
    assert code.fix in get_args(Fix)
    # A heading, and sentences.
    assert code.title.rstrip(".!?") == code.title
    assert code.advice[0].isupper()
    assert code.advice[-1] in ".?"
    assert code.title != code.advice


def test_severities_go_from_bad_to_good():
    assert get_args(Severity) == SEVERITIES == ("error", "warning", "note")


def test_an_error_that_leaves_nothing_out_is_of_the_corpus():
    lasting = {name for name, code in CODES.items() if code.severity == "error"}
    assert {name for name in lasting if not CODES[name].fix} == {"ctc-tokens"}


def test_titles_are_told_apart():
    assert len({code.title for code in CODES.values()}) == len(CODES)


def test_codes_stand_together_by_group():
    groups = [code.group for code in CODES.values()]
    assert list(dict.fromkeys(groups)) == list(get_args(Group))
    assert groups == sorted(groups, key=get_args(Group).index)


def test_the_page_lists_every_code_as_it_is():
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z]+-[a-z-]+)` \| (.+) \|$", text, re.MULTILINE)
    assert dict(rows) == {
        name: f"{code.severity} | {code.fix or '–'} | {code.title} | {code.advice}"
        for name, code in CODES.items()
    }
    assert [name for name, _ in rows] == list(CODES)

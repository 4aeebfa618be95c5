import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.bars import bar, weighted_bar

ROOT = Path(__file__).parents[1]
CODE = """
import time
import typer
from cli.bars import weighted_bar
for item in weighted_bar("Working")(iter("ab"), lambda: [1, 3]):
    typer.echo(f"result {item}")
    typer.echo(f"note {item}", err=True)
    time.sleep(0.3)
"""


def test_without_a_terminal_items_pass_and_nothing_is_counted():
    def never():
        raise AssertionError

    assert list(weighted_bar("x")(iter("abc"), never)) == ["a", "b", "c"]
    assert list(bar("x")("abc", 3)) == ["a", "b", "c"]


@pytest.mark.skipif(os.name == "nt", reason="no terminal of its own")
def test_results_go_where_they_are_led_while_a_bar_is_shown(tmp_path):
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE],
            cwd=ROOT,
            stdout=out,
            stderr=theirs,
            env=environment,
        )
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert (tmp_path / "out").read_text() == "result a\nresult b\n"
    assert b"result" not in shown
    assert b"note a" in shown and b"note b" in shown
    assert b"Working" in shown and b"25%" in shown


def test_rich_is_not_loaded_for_nobody():
    code = (
        "import sys\nfrom cli.bars import bar\n"
        "list(bar('x')('abc', 3))\nprint('rich.progress' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("False\n", "")

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asr.decoding.search import log_add
from asr.machine import compiled, is_kept

MODULE = """
from asr.machine import compiled, is_kept
from {package}.inner import inner

@compiled
def outer(x):
    return inner(x) + 1
"""
INNER = """
from asr.machine import compiled

@compiled
def inner(x):
    return x * {factor}
"""
CALL = (
    "from {package}.outer import outer; from asr.machine import is_kept; "
    "kept = is_kept(outer); print(kept, outer(5), is_kept(outer))"
)


@pytest.fixture
def package(tmp_path):
    """A package of two modules, one calling the other's function."""
    folder = tmp_path / "here" / "twice"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "outer.py").write_text(MODULE.format(package="twice"))
    (folder / "inner.py").write_text(INNER.format(factor=2))
    return folder


def run(package, **environment):
    paths = [str(package.parent), str(Path(__file__).parents[1])]
    result = subprocess.run(
        [sys.executable, "-c", CALL.format(package=package.name)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_code_is_kept_and_made_anew_when_any_module_changes(package):
    assert run(package) == "False 11 True"
    assert run(package) == "True 11 True"
    (package / "inner.py").write_text(INNER.format(factor=3))
    # numba by itself would go on with the old one here.
    assert run(package) == "False 16 True"
    # What was kept before is gone.
    assert len(list((package / "__pycache__").glob("compiled-*"))) == 1


def test_where_numba_is_told_to_keep_it(package, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    assert run(package, NUMBA_CACHE_DIR=str(elsewhere)) == "False 11 True"
    assert list(elsewhere.rglob("*.nbi"))
    assert not list((package / "__pycache__").glob("compiled-*"))
    assert run(package, NUMBA_CACHE_DIR=str(elsewhere)) == "True 11 True"


def test_without_a_place_it_is_made_each_time(package, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    (package / "__pycache__").write_text("a file, no folder")
    environment = {
        "HOME": str(blocked),
        "XDG_CACHE_HOME": str(blocked),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    assert run(package, **environment) == "False 11 False"
    assert run(package, **environment) == "False 11 False"


def test_in_the_home_where_the_package_cannot_be_written_to(package, tmp_path):
    (package / "__pycache__").write_text("a file, no folder")
    environment = {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run(package, **environment) == "False 11 True"
    assert run(package, **environment) == "True 11 True"


def test_functions_compute_the_same():
    assert log_add(0.0, 0.0) == log_add.py_func(0.0, 0.0)
    assert is_kept(compiled(log_add.py_func)) in (True, False)

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asr.machine_code import MachineCode

LINKED = pytest.mark.skipif(
    sys.platform != "linux", reason="object files are linked on Linux"
)
ENTRY = """
from numba import carray, float64, int64, types
from asr.machine import part
from asr.machine_code import pointers

pointer = pointers()
SIGNATURE = int64(types.CPointer(int64))

@part
def total(values):
    found = 0.0
    for value in values:
        found += value
    return found

def entry(pointed):
    # Address and length of an array; its sum times a factor is left at its beginning.
    call = carray(pointed, 2)
    values = carray(pointer(call[0]), (call[1],), float64)
    values[0] = {factor} * total(values)
    return len(values)
"""
CALL = """
import sys
from pathlib import Path
import numpy as np
from asr.machine_code import MachineCode

code = MachineCode(Path(sys.argv[1]), "summed.entry")
kept = code.is_kept
values = np.array([1.0, 2.0, 3.5])
call = np.array([values.ctypes.data, len(values)])
print(kept, code(call.ctypes.data), values[0], code.is_kept, "numba" in sys.modules)
"""


@pytest.fixture
def package(tmp_path):
    """A package with an entry."""
    folder = tmp_path / "here" / "summed"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "entry.py").write_text(ENTRY.format(factor=2))
    return folder


def run(package, call=CALL, **environment):
    paths = [str(package.parent), str(Path(__file__).parents[1])]
    without = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    result = subprocess.run(
        [sys.executable, "-c", call, str(package)],
        env={**without, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


@LINKED
def test_code_is_made_once_and_then_loaded_without_the_compiler(package):
    assert run(package) == "False 3 13.0 True True"
    assert run(package) == "True 3 13.0 True False"
    (package / "entry.py").write_text(ENTRY.format(factor=4))
    assert run(package) == "False 3 26.0 True True"
    assert len(list(package.rglob("*.o"))) == 1


@LINKED
@pytest.mark.parametrize("size", [0, 20, 2000])
def test_a_damaged_file_is_made_anew(package, size):
    run(package)
    [path] = package.rglob("*.o")
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    assert run(package) == "False 3 13.0 True True"
    assert len(path.read_bytes()) == len(whole)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert run(package) == "False 3 13.0 True True"
    assert run(package) == "True 3 13.0 True False"


@LINKED
def test_code_of_another_processor_is_not_taken(package):
    code = "import llvmlite.binding as b; b.get_host_cpu_name = lambda: 'generic'\n"
    run(package)
    [mine] = package.rglob("*.o")
    (package.parent / "sitecustomize.py").write_text(code)
    assert run(package) == "False 3 13.0 True True"
    assert len(list(package.rglob("*.o"))) == 2
    assert mine.exists()


@LINKED
def test_where_nothing_can_be_kept(package, tmp_path):
    (package / "__pycache__").write_text("a file, no folder")
    blocked = {"HOME": str(package / "__pycache__"), "PYTHONDONTWRITEBYTECODE": "1"}
    # Once it is made, it is made for this process.
    assert run(package, **blocked) == "False 3 13.0 True True"
    assert run(package, **blocked) == "False 3 13.0 True True"


def test_threads_load_it_once(package, monkeypatch):
    import numpy as np

    monkeypatch.syspath_prepend(package.parent)
    code = MachineCode(package, "summed.entry")
    arrays = [np.arange(1.0, n + 2) for n in range(50)]
    calls = [np.array([a.ctypes.data, len(a)]) for a in arrays]
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(code, [call.ctypes.data for call in calls]))
    assert counts == [len(a) for a in arrays]
    assert [a[0] for a in arrays] == [(n + 1) * (n + 2) for n in range(50)]


@LINKED
def test_what_is_freed_or_raised_ends_the_process_and_no_symbol_is_missing(package):
    text = (package / "entry.py").read_text()
    raising = "    if call[1] == 3:\n        raise ValueError\n    values[0] ="
    (package / "entry.py").write_text(text.replace("    values[0] =", raising))
    with pytest.raises(subprocess.CalledProcessError) as error:
        run(package)
    assert error.value.returncode < 0
    assert not error.value.stdout


def replace_in_ir(package, pattern, new):
    """Have numba be one whose IR is another."""
    (package.parent / "sitecustomize.py").write_text(
        "import re\n"
        "from numba.core.ccallback import CFunc\n"
        "made = CFunc.inspect_llvm\n"
        f"CFunc.inspect_llvm = lambda self: re.sub({pattern!r}, {new!r}, made(self))\n"
    )


@LINKED
def test_what_another_numba_calls_is_not_missing(package):
    replace_in_ir(package, "@(numba_|NRT_|PyErr_)", "@unheard_of_")
    assert run(package) == "False 3 13.0 True True"
    (package.parent / "sitecustomize.py").unlink()
    assert run(package) == "True 3 13.0 True False"


@LINKED
@pytest.mark.parametrize(
    ("pattern", "new"), [("define ", "no IR "), ("@PyExc_", "@unheard_of_")]
)
def test_where_there_can_be_no_object_file_numba_keeps_it(package, pattern, new):
    replace_in_ir(package, pattern, new)
    assert run(package) == "False 3 13.0 True True"
    assert run(package) == "True 3 13.0 True True"
    assert not list(package.rglob("*.o"))
    assert list(package.rglob("*.nbc"))


@LINKED
def test_another_numba_makes_it_anew(package):
    run(package)
    (package.parent / "sitecustomize.py").write_text(
        "import importlib.metadata as metadata\n"
        "real = metadata.version\n"
        "metadata.version = lambda n: '99.0' if n == 'numba' else real(n)\n"
    )
    assert run(package) == "False 3 13.0 True True"
    assert len(list(package.rglob("*.o"))) == 2


def test_where_numba_is_told_to_compile_nothing(package):
    text = (package / "entry.py").read_text()
    typed = text.replace("carray(pointed, 2)", "carray(pointed, 2, 'int64')")
    typed = typed.replace(", float64)", ", 'float64')")
    (package / "entry.py").write_text(typed)
    said = run(package, NUMBA_DISABLE_JIT="1")
    assert said == "True 3 13.0 True True"
    assert not list(package.rglob("*.o"))


def test_where_it_is_not_linked_numba_keeps_it(package):
    call = "import asr.machine_code\nasr.machine_code._LINKED = False\n" + CALL
    assert run(package, call=call) == "False 3 13.0 True True"
    assert run(package, call=call) == "True 3 13.0 True True"
    assert not list(package.rglob("*.o"))
    (package / "entry.py").write_text(ENTRY.format(factor=4))
    assert run(package, call=call) == "False 3 26.0 True True"

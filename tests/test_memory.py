import ctypes
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from asr import memory
from asr.memory import peak_memory

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_it_is_what_the_kernel_says():
    # In a process of its own, which a child of a large one would not tell apart.
    code = (
        "from asr.memory import peak_memory\n"
        "block = bytearray(80_000_000)\n"
        "block[::4096] = bytes(len(block[::4096]))\n"
        "del block\n"
        "found = peak_memory()\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "peak = next(x for x in lines if x.startswith('VmHWM')).split()[1]\n"
        "print(found, int(peak) * 1024 / 1e6)"
    )
    # A shell in between: its own peak is small.
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1"; exit', sys.executable, code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found, told = map(float, done.stdout.split())
    assert found > 80
    assert found >= told * 0.98


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no glibc")
def test_gaps_between_blocks_are_given_back():
    code = (
        "from asr.memory import release_memory\n"
        "def resident():\n"
        "    return int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6\n"
        "blocks = [bytearray(60_000) for _ in range(2000)]\n"
        "blocks = blocks[-1:]\n"
        "before = resident()\n"
        "release_memory()\n"
        "print(before - resident())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert float(done.stdout) > 90, done.stderr


def test_it_never_falls():
    before = peak_memory()
    block = bytearray(1000)
    assert peak_memory() >= before > 1
    del block


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource")
@pytest.mark.parametrize(("platform", "megabytes"), [("linux", 102.4), ("darwin", 0.1)])
def test_units_are_the_systems(monkeypatch, platform, megabytes):
    usage = SimpleNamespace(ru_maxrss=100_000)
    monkeypatch.setattr("resource.getrusage", lambda who: usage)
    monkeypatch.setattr(memory.sys, "platform", platform)
    assert peak_memory() == megabytes


class Call:
    """A function that takes attributes, as those of a library do."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        return self.function(*arguments)


@pytest.mark.parametrize("answer", [1, 0])
def test_windows(monkeypatch, answer):
    def ask(process, counters, size):
        assert (process, size) == (-1, ctypes.sizeof(memory._Counters))
        counters._obj.peak_working_set = 123_000_000
        return answer

    kernel = SimpleNamespace(
        GetCurrentProcess=Call(lambda: -1), K32GetProcessMemoryInfo=Call(ask)
    )
    monkeypatch.setattr(ctypes, "WinDLL", lambda name: kernel, raising=False)
    monkeypatch.setattr(memory.sys, "platform", "win32")
    if answer:
        assert peak_memory() == 123
    else:
        with pytest.raises(OSError, match="does not tell"):
            peak_memory()

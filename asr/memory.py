"""How much memory this process has needed, and giving back what it needs no more."""

import ctypes
import sys
from typing import Any


class _Counters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API, sizes in bytes."""

    _fields_ = [
        ("size", ctypes.c_ulong),
        ("page_faults", ctypes.c_ulong),
        ("peak_working_set", ctypes.c_size_t),
        ("working_set", ctypes.c_size_t),
        ("peak_paged_pool", ctypes.c_size_t),
        ("paged_pool", ctypes.c_size_t),
        ("peak_nonpaged_pool", ctypes.c_size_t),
        ("nonpaged_pool", ctypes.c_size_t),
        ("pagefile", ctypes.c_size_t),
        ("peak_pagefile", ctypes.c_size_t),
    ]


def peak_memory() -> float:
    """Return the largest memory this process has had resident, in MB (10^6 bytes).

    On Linux a process begins with the peak of the one that started it: run from a
    program that is larger than itself, it has that one's.
    """
    if sys.platform == "win32":
        return _windows_peak() / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB on Linux.
    return (peak if sys.platform == "darwin" else peak * 1024) / 1e6


def release_memory() -> None:
    """Give the system back what is free between blocks in use.

    glibc does so by itself at the end of its heap only, and batches of ever other sizes
    leave gaps. Elsewhere this does nothing.
    """
    if sys.platform == "linux":
        # musl has no such function, and no such need.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _windows_peak() -> int:
    """Return the largest working set, bytes."""
    windows: Any = ctypes  # which has WinDLL on Windows only
    kernel = windows.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    ask = kernel.K32GetProcessMemoryInfo
    ask.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Counters), ctypes.c_ulong]
    counters = _Counters(size=ctypes.sizeof(_Counters))
    if not ask(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size):
        raise OSError("Windows does not tell the memory of this process")
    return int(counters.peak_working_set)

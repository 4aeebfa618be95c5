"""Machine code that is loaded without the compiler that made it.

numba takes half a second to be imported and to load code that it has kept. What it
makes of a function of one pointer is an ordinary C function, though, and if that asks
for no memory and raises nothing, it needs nothing of numba's. So it is kept as an
object file, which llvmlite, numba's way to LLVM, links into the process in 20 ms. That
was tried on Linux; on other systems numba loads what it has kept, half a second later.
"""

import ctypes
import hashlib
import importlib
import re
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from asr.files import replacing
from asr.machine import callback, code_folder, keeps

#: Whether object files are linked without numba.
_LINKED = sys.platform == "linux"
#: The name of the function in an object file.
_SYMBOL = "entry"
#: What numba's code calls to raise an exception or to free memory.
_RUNTIME = re.compile(r"^declare (.*@(?:numba_|NRT_)\w+\(.*?\))[^)\n]*$", re.M)
_TRAP = "define internal \\1 {\n  call void @llvm.trap()\n  unreachable\n}"
_DIGEST = 32


class MachineCode:
    """The function ``entry`` of a module, which ``SIGNATURE`` says the numba type of.

    Called with the address of a record it returns a number, 64 bits. Other threads run
    meanwhile.

    Args:
        package: Folder of the modules that the code is made of.
        module: The full name of the function's.
    """

    def __init__(self, package: Path, module: str) -> None:
        self._package = package
        self._module = module
        self._lock = threading.Lock()
        self._engine: Any = None

    def __call__(self, address: int) -> int:
        """Run it."""
        return int(self._function(address))

    @property
    def is_kept(self) -> bool:
        """Whether the code is on the disk, whole, or need not be made any more."""
        if self._engine is not None:
            return True
        if not _LINKED:
            return keeps(self._package, f"{self._module}.entry")
        return self._read() is not None

    @cached_property
    def _function(self) -> Callable[[int], int]:
        with self._lock:
            if self._engine is None:
                self._engine = self._linked() if _LINKED else self._loaded()
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
        if _LINKED:
            return kind(self._engine.get_function_address(_SYMBOL))
        return kind(self._engine.address)

    def _linked(self) -> Any:
        """Return LLVM's engine with the code in it."""
        import llvmlite.binding as llvm

        code = self._read() or self._make()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return engine

    def _loaded(self) -> Any:
        """Return numba's own function, compiled where it is not kept."""
        module = importlib.import_module(self._module)
        return callback(module.SIGNATURE, module.entry)

    @cached_property
    def _path(self) -> Path | None:
        """Where the code is kept: by package, as ``compiled`` does, and processor."""
        folder = code_folder(self._package)
        if folder is None:
            return None
        import llvmlite
        import llvmlite.binding as llvm

        features = llvm.get_host_cpu_features().flatten()
        machine = (llvmlite.__version__, llvm.get_process_triple(), features)
        stamp = hashlib.sha256(repr((*machine, llvm.get_host_cpu_name())).encode())
        stamp.update(Path(__file__).read_bytes())
        return folder / f"{self._module}-{stamp.hexdigest()[:8]}.o"

    def _read(self) -> bytes | None:
        """Return what is on the disk, if that is whole."""
        try:
            content = b"" if self._path is None else self._path.read_bytes()
        except OSError:
            return None
        digest, code = content[:_DIGEST], content[_DIGEST:]
        # LLVM would end the process over a damaged file.
        return code if hashlib.sha256(code).digest() == digest else None

    def _make(self) -> bytes:
        """Compile the function; keep the code where that can be."""
        import llvmlite.binding as llvm
        import numba

        module = importlib.import_module(self._module)
        function = numba.cfunc(module.SIGNATURE)(module.entry)
        # Nothing is allocated or raised; were it so, the process ends.
        text = _RUNTIME.sub(_TRAP, function.inspect_llvm())
        if "declare void @llvm.trap()" not in text:
            text += "\ndeclare void @llvm.trap()\n"
        parsed = llvm.parse_assembly(text)
        parsed.get_function(function.native_name).name = _SYMBOL
        code: bytes = _target_machine().emit_object(parsed)
        if self._path is not None:
            with replacing(self._path) as temporary:
                temporary.write_bytes(hashlib.sha256(code).digest() + code)
        return code


def pointers() -> Any:
    """Return the function by which compiled code makes a pointer of an address."""
    import numba
    from llvmlite import ir
    from numba.extending import intrinsic

    def pointer(_typing: Any, address: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return builder.inttoptr(values[0], ir.IntType(8).as_pointer())

        return numba.types.voidptr(address), generate

    return intrinsic(pointer)


def _target_machine() -> Any:
    import llvmlite.binding as llvm

    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )

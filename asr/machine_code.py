"""Machine code that is loaded without the compiler that made it.

numba takes half a second to be imported and to load code that it has kept. What it
makes of a function of one pointer is an ordinary C function, though, and if that asks
for no memory and raises nothing, it needs nothing of numba's. So it is kept as an
object file, which llvmlite, numba's way to LLVM, links into the process in 20 ms. That
was tried on Linux; on other systems, and where a version of numba makes what needs more
than a C library, numba loads what it has kept, half a second later.
"""

import ctypes
import hashlib
import importlib
import importlib.metadata
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from asr.files import replacing
from asr.machine import callback, code_folder, is_interpreted, keeps

#: Whether object files are linked without numba.
_LINKED = sys.platform == "linux"
#: The name of the function in an object file.
_SYMBOL = "entry"
#: What compiled code may call: these every process has.
_C_LIBRARY = {
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "sqrt", "fma"),
    *("fabs", "floor", "ceil", "trunc", "round", "fmod", "ldexp", "frexp"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "atan2"),
    *("expf", "logf", "log1pf", "powf", "sqrtf", "floorf", "ceilf"),
    *("memset", "memcpy", "memmove", "memcmp"),
}
_TRAP = """define hidden void @"{}"() {{
  call void @llvm.trap()
  unreachable
}}
"""
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
        #: What owns the code, and the address of the function in it.
        self._code: tuple[Any, int] | None = None

    def __call__(self, address: int) -> int:
        """Run it."""
        return int(self._function(address))

    @property
    def is_kept(self) -> bool:
        """Whether the code is on the disk, whole, or need not be made any more."""
        if self._code is not None or is_interpreted():
            return True
        return (_LINKED and self._read() is not None) or self._is_numbas

    @property
    def _is_numbas(self) -> bool:
        """Whether numba has kept the function, as there can be no object file."""
        return keeps(self._package, f"{self._module}.entry")

    @cached_property
    def _function(self) -> Callable[[int], int]:
        if is_interpreted():
            entry = importlib.import_module(self._module).entry
            return lambda address: entry(ctypes.c_void_p(address))
        with self._lock:
            if self._code is None:
                self._code = (self._linked() if _LINKED else None) or self._loaded()
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
        return kind(self._code[1])

    def _linked(self) -> tuple[Any, int] | None:
        """Return LLVM's engine with the code in it; None if there is no such code."""
        import llvmlite.binding as llvm

        code = self._read()
        if code is None and not self._is_numbas:
            code = self._make()
        if code is None:
            return None
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return engine, engine.get_function_address(_SYMBOL)

    def _loaded(self) -> tuple[Any, int]:
        """Return numba's own function, compiled where it is not kept."""
        module = importlib.import_module(self._module)
        function = callback(module.SIGNATURE, module.entry)
        return function, function.address

    @cached_property
    def _path(self) -> Path | None:
        """Where the code is kept: by package, as ``compiled`` does, and processor."""
        folder = code_folder(self._package)
        if folder is None:
            return None
        import llvmlite
        import llvmlite.binding as llvm

        features = llvm.get_host_cpu_features().flatten()
        versions = (llvmlite.__version__, importlib.metadata.version("numba"))
        machine = (llvm.get_process_triple(), llvm.get_host_cpu_name(), features)
        stamp = hashlib.sha256(repr((*versions, *machine)).encode())
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

    def _make(self) -> bytes | None:
        """Compile the function; keep the code where that can be.

        Returns:
            None if this version of numba makes what needs more than a C library.
        """
        import numba

        module = importlib.import_module(self._module)
        function = numba.cfunc(module.SIGNATURE)(module.entry)
        alone = _standing_alone(function.inspect_llvm())
        if alone is None:
            return None
        alone.get_function(function.native_name).name = _SYMBOL
        code: bytes = _target_machine().emit_object(alone)
        if self._path is not None:
            with replacing(self._path) as temporary:
                temporary.write_bytes(hashlib.sha256(code).digest() + code)
        return code


def _standing_alone(text: str) -> Any:
    """Return LLVM's module of a text, for a process that has a C library alone.

    What else is called, numba's and Python's, is for memory and exceptions, which there
    are none of; were there any, the process ends.

    Returns:
        None if LLVM does not take it so, or data of others would be needed.
    """
    import llvmlite.binding as llvm

    try:
        module = llvm.parse_assembly(text)
        names = [f.name for f in module.functions if f.is_declaration]
        ends = [n for n in names if not n.startswith("llvm.") and n not in _C_LIBRARY]
        traps = llvm.parse_assembly(
            "declare void @llvm.trap()\n" + "".join(_TRAP.format(n) for n in ends)
        )
        traps.triple, traps.data_layout = module.triple, module.data_layout
        module.link_in(traps)
    except RuntimeError:  # whatever LLVM has to say
        return None
    needed = [f.name for f in module.functions if f.is_declaration]
    needed = [name for name in needed if not name.startswith("llvm.")]
    needed += [v.name for v in module.global_variables if v.is_declaration]
    found = all(
        (name in _C_LIBRARY or name.startswith("PyExc_"))
        and llvm.address_of_symbol(name)
        for name in needed
    )
    return module if found else None


def pointers() -> Any:
    """Return the function by which compiled code makes a pointer of an address."""
    if is_interpreted():
        return lambda address: ctypes.c_void_p(int(address))
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

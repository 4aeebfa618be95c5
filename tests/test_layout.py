"""The rules of the code's shape that no linter knows."""

import ast
import dataclasses
import re
import subprocess
import sys
import tomllib
import typing
from pathlib import Path

import pytest

from asr.config import Config

ROOT = Path(__file__).parent.parent

#: The rooms from the bottom up: each imports from rows before its own, not after it.
ROWS = [
    {"errors"},
    {"config", "settings", "files", "machine", "machine_code", "memory"},
    {
        "text",
        "english",
        "spelling",
        "tokens",
        "audio",
        "manifest",
        "hypotheses",
        "timings",
        "subtitles",
        "transcripts",
        "ffmpeg",
        "lengths",
        "batching",
        "torchaudio_guard",
        "protobuf",
    },
    {"spectra"},
    {"features", "augment", "pages", "ngrams", "speech"},
    {"model", "decoding", "scoring", "checks"},
    {"corpora", "training", "recognition", "comparison"},
    {"cli"},
]
#: Rooms that start without torch, so that prep and score do.
TORCH_FREE = {
    "errors",
    "config",
    "settings",
    "files",
    "text",
    "english",
    "spelling",
    "tokens",
    "audio",
    "manifest",
    "hypotheses",
    "timings",
    "subtitles",
    "transcripts",
    "ffmpeg",
    "lengths",
    "batching",
    "protobuf",
    "spectra",
    "pages",
    "ngrams",
    "machine",
    "machine_code",
    "memory",
    "decoding",
    "checks",
    "corpora",
    "scoring",
    "speech",
}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = sorted([*(ROOT / "asr").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])
MODULES = {module_name(path): path for path in PATHS}
TREES = {
    name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()
}


def imports(module, nodes):
    """Return the full names of the modules that import statements among nodes name."""
    is_package = MODULES[module].name == "__init__.py"
    package = module if is_package else module.rpartition(".")[0]
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*up, source] if source else up)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found.add(inner if inner in MODULES else source)
    return found


def every_import(module):
    if module == "asr":
        # Its one function, load, is the way into the library.
        return import_time_imports(module)
    return imports(module, ast.walk(TREES[module]))


def import_time_imports(module):
    """Return what is imported when the module is: no function, no type checking."""

    def at_import_time(nodes):
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                yield from at_import_time(node.orelse)
                continue
            yield node
            yield from at_import_time(ast.iter_child_nodes(node))

    return imports(module, at_import_time(TREES[module].body))


def room(module):
    parts = module.split(".")
    if parts[0] == "cli":
        return "cli"
    return parts[1] if parts[0] == "asr" and len(parts) > 1 else None


def row(name):
    rows = [number for number, rooms in enumerate(ROWS) if name in rooms]
    assert rows, f"asr/{name} is in no row of test_layout.ROWS; which may it import?"
    return rows[0]


def is_package(name):
    return (ROOT / "asr" / name).is_dir()


def test_there_is_something_to_look_at():
    assert {"asr.errors", "cli.main"} <= MODULES.keys()
    assert "asr.errors" in every_import("asr.config")
    assert "asr.training.initial" in every_import("cli.train")
    assert "cli.main" in every_import("cli.__main__")
    assert "asr.training.initial" not in import_time_imports("cli.train")


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    here = room(module)
    for imported in every_import(module):
        there = room(imported)
        if there is None or there == here:
            continue
        assert here is not None, f"{module} imports {imported}; it must stay light"
        assert row(there) <= row(here), f"{module} imports {imported}: upwards"
        beside = row(there) == row(here) and (is_package(here) or is_package(there))
        assert not beside, f"{module} imports {imported}: rooms side by side"


def test_no_module_imports_itself_by_a_detour():
    # Imports made when a module is loaded; one in a function is the way out of a loop.
    left = {name: import_time_imports(name) & MODULES.keys() for name in MODULES}
    while left:
        free = {name for name, needs in left.items() if not needs & left.keys()}
        assert free, f"these import one another: {sorted(left)}"
        left = {name: needs for name, needs in left.items() if name not in free}


@pytest.mark.parametrize(
    "module", [name for name in MODULES if room(name) in TORCH_FREE or name == "asr"]
)
def test_rooms_below_the_network_know_no_torch(module):
    seen, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        found = every_import(name)
        torch = {top for top in found if top.split(".")[0] in ("torch", "torchaudio")}
        assert not torch, f"{module} reaches torch in {name}"
        waiting |= (found & MODULES.keys()) - seen


def loaded_by(statement):
    """Return the top-level modules a fresh interpreter has after a statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in result.stdout.split()}


def test_importing_asr_imports_nothing_heavy():
    assert not loaded_by("import asr") & {"numpy", "torch", "typer", "rich"}


def test_torch_stays_out_when_the_rooms_below_it_are_loaded():
    below = [name for name in MODULES if room(name) in TORCH_FREE]
    loaded = loaded_by(f"import {', '.join(below)}")
    assert "rapidfuzz" in loaded
    assert "torch" not in loaded


def test_samples_are_augmented_without_torch():
    below = [m for m in MODULES if room(m) == "augment" and "spectrogram" not in m]
    assert "torch" not in loaded_by(f"import {', '.join(below)}")


def test_model_metadata_are_read_without_torch():
    assert "torch" not in loaded_by("import asr.model.file")
    rooms = [name for name in MODULES if room(name) == "comparison"]
    assert "torch" not in loaded_by(f"import {', '.join(rooms)}")


def test_help_comes_without_the_library():
    loaded = loaded_by("import cli.main")
    assert "typer" in loaded
    assert not loaded & {"numpy", "torch", "jiwer", "soundfile", "librosa"}


def test_greedy_decoding_waits_for_no_compiler():
    loaded = loaded_by(
        "import numpy\n"
        "from asr.decoding.greedy import greedy\n"
        "import asr.recognition.recogniser, asr.recognition.options\n"
        "greedy(numpy.zeros((5, 3)))"
    )
    assert "numpy" in loaded
    assert not loaded & {"numba", "llvmlite"}


#: What a transcript of an exported model need not wait for.
SLOW = {
    *("torch", "torchaudio", "librosa", "scipy", "numba", "llvmlite", "onnx"),
    *("rapidfuzz", "soxr", "safetensors", "jinja2", "PIL", "tomli_w"),
}


def test_an_exported_model_transcribes_without_torch(exported, corpus):
    wav = str(corpus / "wav/train00.wav")
    loaded = loaded_by(
        "import asr\n"
        f"heard = asr.load({str(exported)!r}).transcribe({wav!r}, words=True)\n"
        "assert heard.text == 'do re', heard"
    )
    assert "onnxruntime" in loaded
    assert not loaded & SLOW


def test_the_command_transcribes_without_torch(exported, corpus):
    arguments = ["asr", "transcribe", str(corpus / "wav/train00.wav")]
    loaded = loaded_by(
        "import sys\nfrom cli.main import main\n"
        f"sys.argv = {[*arguments, '--model', str(exported)]!r}\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code"
    )
    assert "onnxruntime" in loaded
    assert not loaded & SLOW


def test_a_search_over_an_exported_model_needs_no_torch(exported, corpus):
    wav = str(corpus / "wav/train00.wav")
    loaded = loaded_by(
        f"import asr\nasr.load({str(exported)!r}).transcribe({wav!r}, beam=4)"
    )
    assert loaded & {"llvmlite", "numba"}
    assert not loaded & {"torch", "torchaudio", "librosa", "onnx"}


@pytest.mark.skipif(sys.platform != "linux", reason="object files are linked on Linux")
def test_a_search_that_was_compiled_before_waits_for_no_compiler():
    search = (
        "import numpy\n"
        "from asr.config import DecodingConfig, TextConfig\n"
        "from asr.decoding.beam import build_decoder\n"
        "from asr.tokens import BLANK, Tokens\n"
        "tokens = Tokens((BLANK, 'a'))\n"
        "decoder = build_decoder(tokens, DecodingConfig(), TextConfig())\n"
        "decoder.prepare(lambda _: None)\n"
        "rows = numpy.log(numpy.float32([[0.1, 0.9], [0.8, 0.2]]))\n"
        "assert decoder.decode(rows)[0].text == 'a'"
    )
    loaded_by(search)
    loaded = loaded_by(search)
    assert "llvmlite" in loaded
    assert not loaded & {"numba", "scipy", "torch"}


def commands():
    """Return the modules that hold a command: what main takes from its siblings."""
    beside = import_time_imports("cli.main") & MODULES.keys()
    return sorted(name for name in beside if room(name) == "cli")


@pytest.mark.parametrize("module", commands())
def test_commands_import_the_library_where_they_run(module):
    light = {"typer", *sys.stdlib_module_names}
    # cli.bars is as light as they are; it has no command to load anything for.
    found = {n.split(".")[0] for n in import_time_imports(module) if "bars" not in n}
    assert found - {"cli"} <= light


@pytest.mark.parametrize("module", commands())
def test_commands_never_call_one_another(module):
    assert not every_import(module) & {*commands(), "cli.main"}


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) != "cli"])
def test_the_library_has_no_command_line_and_prints_nothing(module):
    assert not {name.split(".")[0] for name in every_import(module)} & {"typer", "cli"}
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("print", "sys.stdout.write")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: module_name(path))
def test_modules_stay_readable_in_one_sitting(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines < 400, f"{lines} lines; what in it is a module of its own?"
    assert path.stem not in ("utils", "common", "helpers")


def test_the_wheel_has_every_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {path.parent for path in PATHS if path.is_relative_to(ROOT / "asr")}
    wanted = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    setuptools = project["tool"]["setuptools"]
    assert setuptools["packages"] == sorted({*wanted, "asr.cli"})
    assert setuptools["package-dir"] == {"asr.cli": "cli"}
    for package in wanted:
        assert MODULES[package].name == "__init__.py"


def settings():
    """Return ``section.field`` of every setting; a section is '' for Config's own."""
    for name, kind in typing.get_type_hints(Config).items():
        if dataclasses.is_dataclass(kind):
            yield from (f"{name}.{field.name}" for field in dataclasses.fields(kind))
        else:
            yield f".{name}"


def reads():
    """Return (owner, attribute) of each ``….owner.attribute`` outside config.py."""
    found = set()
    for module in MODULES.keys() - {"asr.config", "asr.settings"}:
        for node in ast.walk(TREES[module]):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                owner = ast.unparse(node.value).rpartition(".")[2]
                found.add((owner.lstrip("_"), node.attr))
    return found


@pytest.mark.parametrize("setting", list(settings()))
def test_every_setting_is_read(setting):
    section, _, name = setting.partition(".")
    owners = {owner for owner, attribute in reads() if attribute == name}
    assert any(re.fullmatch(rf"(.+_)?config|{section}", owner) for owner in owners)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("[!.]*/**/*.md")) + sorted(ROOT.glob("*.md")), ids=str
)
def test_pages_have_no_gap_to_fill_and_no_dead_link(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"@[A-Z]+@", text)
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (path.parent / target).exists(), target

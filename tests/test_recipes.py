"""The chain of make, with a stand-in for ``asr`` that writes what the stages write."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from pathlib import Path

import pytest

from asr.settings import config_from_dict, load_config

RECIPES = Path(__file__).parent.parent / "recipes"
#: These have chains of their own.
OTHERS = {"cells", "starter"}
NAMES = sorted({path.parent.name for path in RECIPES.glob("*/Makefile")} - OTHERS)

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or sys.platform == "win32", reason="needs make and sh"
)

# Appends its arguments to a log and writes each stage's files.
_STAND_IN = r"""#!/bin/sh
set -eu
echo "$@" >> "$ASR_LOG"
if [ -e "$ASR_LOG.fail-$1" ]; then echo partial; exit 1; fi
case $1 in
  synth) mkdir -p "$2"; touch "$2/README.txt" ;;
  prep) mkdir -p "$3"; touch "$3/prep.json" "$3/test.jsonl" "$3/dev.jsonl" ;;
  train) while [ "$1" != --out ]; do shift; done
    mkdir -p "$2"; touch "$2/model.safetensors" ;;
  lm | tune) while [ "$1" != --out ]; do shift; done; touch "$2" ;;
  export) touch "$3" ;;
  transcribe) while [ "$1" != --output ]; do shift; done; touch "$2" ;;
  gradients) touch "$6" ;;
  compare) while [ "$1" != --out ]; do shift; done; touch "$2/compare.html"
    touch "$2/compare.md" ;;
  score) printf '%%WER 1.00\n\nworst\n' ;;
esac
"""


class Kitchen:
    """A copy of the recipes, and the commands that make ran in it."""

    def __init__(self, folder, name):
        shutil.copytree(
            RECIPES, folder / "recipes", ignore=shutil.ignore_patterns("data", "exp")
        )
        self.recipe = folder / "recipes" / name
        self.log = folder / "log"
        self.asr = folder / "asr"
        self.asr.write_text(_STAND_IN)
        self.asr.chmod(0o755)

    def make(self, *arguments):
        self.log.unlink(missing_ok=True)
        result = subprocess.run(
            ["make", f"ASR={self.asr}", *arguments],
            cwd=self.recipe,
            env={**os.environ, "ASR_LOG": str(self.log), "MAKEFLAGS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        ran = self.log.read_text().splitlines() if self.log.exists() else []
        return result, [line.split()[0] for line in ran]

    def touch(self, name):
        later = time.time() + 5
        os.utime(self.recipe / name, (later, later))


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_runs_all_stages_once_and_prints_the_score(tmp_path, name):
    kitchen = Kitchen(tmp_path, name)
    result, ran = kitchen.make("CORPUS=somewhere")
    assert result.returncode == 0, result.stderr
    assert ran[-4:] == ["prep", "train", "transcribe", "score"]
    assert "%WER 1.00" in result.stdout
    assert kitchen.make("CORPUS=somewhere")[1] == []


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*/*.toml")), ids=str)
def test_every_config_is_valid(path):
    assert load_config(path) == config_from_dict(tomllib.loads(path.read_text()))


def test_a_changed_config_redoes_its_own_experiment_only(tmp_path):
    kitchen = Kitchen(tmp_path, "digits")
    shutil.copy(kitchen.recipe / "base.toml", kitchen.recipe / "wide.toml")
    kitchen.make("base")
    kitchen.make("wide")
    kitchen.touch("wide.toml")
    assert kitchen.make("base")[1] == []
    assert kitchen.make("wide")[1] == ["train", "transcribe", "score"]


def test_a_stage_that_fails_leaves_nothing_that_looks_done(tmp_path):
    kitchen = Kitchen(tmp_path, "digits")
    failing = Path(f"{kitchen.log}.fail-score")
    failing.touch()
    result, ran = kitchen.make()
    assert result.returncode != 0
    assert ran == ["synth", "prep", "train", "transcribe", "score"]
    failing.unlink()
    result, ran = kitchen.make()
    assert result.returncode == 0
    assert ran == ["score"]


def test_no_corpus_is_one_clear_line(tmp_path):
    result, ran = Kitchen(tmp_path, "an4").make()
    assert result.returncode != 0
    assert ran == []
    assert "make: say where the corpus is: make CORPUS=<folder>" in result.stderr


def test_librispeech_by_option(tmp_path):
    kitchen = Kitchen(tmp_path, "librispeech")
    kitchen.make("CORPUS=somewhere", "TRAIN=960")
    line = kitchen.log.read_text().splitlines()[0]
    train = "train=train-clean-100,train-clean-360,train-other-500"
    assert f"prep somewhere data/960 --split {train} --split dev=dev-clean" in line
    result, _ = kitchen.make("CORPUS=somewhere", "TRAIN=7")
    assert "TRAIN=7: must be 5, 100 or 960" in result.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_download_checks_and_unpacks(tmp_path, algorithm):
    (tmp_path / "an4").mkdir()
    (tmp_path / "an4" / "note.txt").write_text("here")
    archive = tmp_path / "an4_sphere.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "an4", "an4")
    name = archive.name
    right = hashlib.new(algorithm, archive.read_bytes()).hexdigest()
    kitchen = Kitchen(tmp_path, "an4")
    address = f"URL_{name}=file://{archive}"

    wrong = f"SUM_{name}={'0' * len(right)}"
    result, _ = kitchen.make("download", address, wrong)
    assert result.returncode != 0
    assert "damaged, or another edition" in result.stderr
    assert not (kitchen.recipe / "download" / "an4").exists()

    shutil.rmtree(kitchen.recipe / "download")
    result, _ = kitchen.make("download", address, f"SUM_{name}={right}")
    assert result.returncode == 0, result.stderr
    assert (kitchen.recipe / "download" / "an4" / "note.txt").read_text() == "here"


ONE = ("CELLS=gru-before", "WAYS=both", "DEPTHS=3", "SEEDS=0 1")


def test_the_cells_are_trained_and_compared(tmp_path):
    kitchen = Kitchen(tmp_path, "cells")
    chain = ["train", "transcribe"]
    result, ran = kitchen.make("CORPUS=somewhere", *ONE)
    assert result.returncode == 0, result.stderr
    # Gradients of the first seed alone.
    assert ran == ["prep", *chain, *chain, "gradients", "compare"]
    arguments = kitchen.log.read_text(encoding="utf-8").splitlines()[1]
    for setting in (
        *("model.cell=gru", "model.reset=before", "model.bidirectional=true"),
        *("model.layers=3", "model.hidden=86", "seed=0"),
    ):
        assert f"--set {setting}" in arguments
    assert kitchen.make("CORPUS=somewhere", *ONE)[1] == []
    more = kitchen.make("CORPUS=somewhere", *ONE, "EXTRA=lstm.forward.1.0.remember")[1]
    assert more == [*chain, "gradients", "compare"]
    arguments = kitchen.log.read_text(encoding="utf-8").splitlines()[0]
    for setting in (
        *("model.cell=lstm", "model.bidirectional=false", "model.layers=1"),
        *("model.hidden=242", "model.forget_bias=1.0"),
    ):
        assert f"--set {setting}" in arguments
    assert "reset" not in arguments


def test_without_a_corpus_the_cells_learn_synthetic_digits(tmp_path):
    kitchen = Kitchen(tmp_path, "cells")
    result, ran = kitchen.make(*ONE)
    assert result.returncode == 0, result.stderr
    assert ran[:3] == ["synth", "prep", "train"]


@pytest.mark.parametrize(
    "run", ["lstm.both.3.0.ortogonal", "lstm.bth.3.0", "lstm.both.6.0", "gru.both.1.0"]
)
def test_a_name_that_is_no_run_is_refused(tmp_path, run):
    kitchen = Kitchen(tmp_path, "cells")
    result, ran = kitchen.make("CORPUS=somewhere", "GRID=", f"EXTRA={run}")
    assert result.returncode != 0
    assert f"{run} is no run" in result.stderr
    assert "train" not in ran


def test_equal_time_is_counted_in_epochs_of_the_plain_run(tmp_path):
    kitchen = Kitchen(tmp_path, "cells")
    kitchen.make("CORPUS=somewhere", *ONE)
    run = "gru-before.both.3.0"
    rows = "".join(
        f'{{"epoch": {n}, "seconds": 4.1, "total_seconds": {4.1 * n}}}\n'
        for n in (1, 2)
    )
    (kitchen.recipe / "exp" / run / "metrics.jsonl").write_text(rows)
    kitchen.make("CORPUS=somewhere", *ONE, f"EXTRA={run}.time", "TIME=50")
    arguments = kitchen.log.read_text(encoding="utf-8").splitlines()[0]
    assert "--set train.epochs=12 " in arguments


def test_the_starter_is_made_and_put_into_the_package(tmp_path):
    for name in ("noise/sb_a.flac", "rir/b.flac"):
        path = tmp_path / "corpora" / "noise-rir" / name
        path.parent.mkdir(parents=True)
        path.touch()
    kitchen = Kitchen(tmp_path, "starter")
    result, ran = kitchen.make(f"CORPORA={tmp_path / 'corpora'}")
    assert result.returncode == 0, result.stderr
    heard = ["transcribe"] * 3
    assert ran[:8] == [*["prep"] * 4, "train", "lm", "lm", "tune"]
    assert sorted(ran[8:]) == sorted([*heard, *heard, "export", "score", "score"])
    assert kitchen.make(f"CORPORA={tmp_path / 'corpora'}")[1] == []
    result, ran = kitchen.make("package", f"PACKAGE={tmp_path / 'package'}")
    assert (result.returncode, ran) == (0, ["export"])
    names = [f"starter.{suffix}" for suffix in ("lm", "onnx", "safetensors")]
    assert sorted(p.name for p in (tmp_path / "package").iterdir()) == names


def test_the_starter_wants_corpora(tmp_path):
    result, ran = Kitchen(tmp_path, "starter").make()
    assert (result.returncode != 0, ran) == (True, [])
    assert "say where the corpora are: make CORPORA=<folder>" in result.stderr


def cells_units():
    text = (RECIPES / "cells" / "Makefile").read_text(encoding="utf-8")
    for name, units in re.findall(r"^UNITS_(\S+) *:= ([\d ]+)$", text, re.MULTILINE):
        yield from ((*name.split("."), n, u) for n, u in enumerate(units.split(), 1))


@pytest.mark.parametrize(("cell", "way", "layers", "units"), list(cells_units()))
def test_cells_are_compared_at_equal_numbers_of_weights(cell, way, layers, units):
    from asr.model.network import Network

    settings = (
        *(f"model.cell={cell}", f"model.layers={layers}", f"model.hidden={units}"),
        f"model.bidirectional={'true' if way == 'both' else 'false'}",
    )
    config = load_config(RECIPES / "cells" / "base.toml", settings)
    network = Network(config.model, config.features.num_mels, 28)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert weights == pytest.approx(400_000, rel=0.02)


def test_there_are_units_for_every_cell_way_and_depth():
    assert len(list(cells_units())) == 3 * 2 * 5

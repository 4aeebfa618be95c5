# make         install into .venv, run the embedded recipe, print its score
# make test    install into .venv, run the tests
# make help    the rest

PYTHON ?= python3
VENV   ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
READY := $(VENV)/.ready
WHEEL_BIN := build/wheel/$(notdir $(BIN))
PIP   := $(BIN)/python -m pip --disable-pip-version-check

.SHELLFLAGS := -eu -c
.DELETE_ON_ERROR:
.PHONY: digits test lint format wheel bench clean help

digits: $(READY)
	$(MAKE) --no-print-directory -C recipes/digits ASR="$(abspath $(BIN))/asr"

# The environment is ready when this file is younger than pyproject.toml.
$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON); install Python 3.11 or newer, or say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11; say make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "make: $(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	$(PIP) install --quiet $(PIP_FLAGS) --editable '.[dev,numbers,subword,synth,tensorboard]'
	@touch $@

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python -m pytest tests/benchmarks -s

# Builds the wheel and tries it in an environment of its own, away from this folder.
wheel: $(READY)
	rm -rf build dist
	$(PIP) wheel --quiet $(PIP_FLAGS) --no-deps --wheel-dir dist .
	$(PYTHON) -m venv build/wheel
	$(WHEEL_BIN)/python -m pip install --quiet $(PIP_FLAGS) "$$(ls dist/*.whl)"
	cd build && ../$(WHEEL_BIN)/asr --version && ../$(WHEEL_BIN)/asr --help >/dev/null && ../$(WHEEL_BIN)/python -I -c 'import importlib.metadata as m; names = {f.parts[0] for f in m.files("recurrent-asr") if f.suffix == ".py"}; assert names == {"asr"}, names; print("top level:", *names)'

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf recipes/digits/data recipes/digits/exp
	find asr cli tests -name __pycache__ -type d -exec rm -rf {} +

help:
	@echo "make          install into $(VENV), run recipes/digits, print its score"
	@echo "make test     run the tests"
	@echo "make lint     ruff (format and rules) and mypy"
	@echo "make format   let ruff put format and simple rules right"
	@echo "make bench    the benchmarks: ratios, measured in one run"
	@echo "make wheel    build the wheel and try it in a clean environment"
	@echo "make clean    remove what tools and recipes/digits wrote; $(VENV) stays"
	@echo "Variables: PYTHON=$(PYTHON) VENV=$(VENV) PIP_FLAGS=(passed to pip install)"

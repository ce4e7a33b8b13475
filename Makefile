# Every target sets itself up: the environment is built from the lock when the lock is newer than it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint types unit format lock bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | sort | expand -t 12

setup: $(READY)  ## make the environment (.venv) from the lock

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("vmafcast needs Python 3.11 or newer, and this is " + sys.version.split()[0] + "; set PYTHON=") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## the main job end to end on generated footage, into demo/
	$(BIN)/vmafcast demo --out demo

test: lint types unit  ## what CI runs: lint, types, tests

test-all: lint types $(READY)  ## the same with the slow statistical proofs
	$(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow"

format: $(READY)  ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:  ## resolve the development environment anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --extra dev --no-emit-package vmafcast --output-file requirements-dev.lock pyproject.toml

bench: $(READY)  ## ratios against named baselines, measured in one run
	$(BIN)/python -m benchmarks.one_process
	$(BIN)/python -m benchmarks.prediction
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.training --corpus data/corpus --out bench/training_corpus.json

clean:  ## remove what the targets made
	rm -rf $(VENV) build dist demo bench

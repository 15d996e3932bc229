# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv, and nothing outside of it.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
ROWS ?= 100000
FILE ?=

.PHONY: demo test format lint types contracts tests proof fleet bench docs clean help

help: ## say what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/'

demo: $(VENV)/.demo ## load contacts into the emulated API under the quota (ROWS=100000, FILE=your.csv)
	@$(BIN)/ongage demo --rows $(ROWS) $(if $(FILE),--file "$(FILE)")

test: $(VENV)/.dev lint types contracts tests ## the whole gate

lint: $(VENV)/.dev ## format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.dev ## format, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.dev ## mypy --strict and pyright
	$(BIN)/mypy
	$(BIN)/basedpyright --level error

contracts: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports --no-cache

tests: $(VENV)/.dev ## the tests, without the slow proofs
	$(BIN)/python -m pytest -m "not proof" -n 3 -q

proof: $(VENV)/.bench ## the slow proofs: load, cancellation, kills; then fleets, which need the machine to themselves
	$(BIN)/python -m pytest -m "proof and not fleet" -n 3 -q
	$(BIN)/python -m pytest -m "proof and fleet" -q -s -ra

fleet: $(VENV)/.dev ## the proofs of shared budgets in full length: a thousand seeds, ten days
	PROOF_SEEDS=1000 PROOF_DAYS=10 $(BIN)/python -m pytest -m "proof and fleet" -q -s -ra

bench: $(VENV)/.bench ## benchmarks; writes benchmarks/results/
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev ## the site of the documentation, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name one: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "This Python cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Setting up $(VENV) ..."
	@$(PIP) --editable ".[cli]"
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements-dev.txt
	@echo "Installing what the tests need ..."
	@$(PIP) --requirement requirements-dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements-bench.txt
	@echo "Installing what is measured ..."
	@$(PIP) --requirement requirements-bench.txt
	@touch $@

clean: ## remove what was made
	rm -rf $(VENV) dist build demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

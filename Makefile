# Everything a developer, an operator or CI does. Each target sets up what it needs; Python 3.11 or
# newer with venv, and make, are all that must be there before. VENV=… on the command line is the
# folder of another environment.
OLD_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$each -c '$(OLD_ENOUGH)' 2>/dev/null && echo $$each && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready
TOOLS := $(VENV)/tools
TOOLS_READY := $(TOOLS)/.ready
FUZZ_READY := $(VENV)/.fuzz-ready
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --require-hashes -r
INSTALL := $(BIN)/python $(PIP_INSTALL)

# What a host has: requirements.txt and nothing else.
.PHONY: ready
ready: $(READY)

.PHONY: help demo run test faults lint docs bench soak fuzz lock audit clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/make \1	\2/p' Makefile

demo: $(READY)  ## emulator, service and sample calls; no account needed
	@$(BIN)/flask demo

run: $(READY)  ## serve for real; settings come from the environment
	@$(BIN)/gunicorn app:app

test: $(DEV_READY)  ## every test
	@$(BIN)/pytest -n 4 --dist worksteal

faults: $(DEV_READY)  ## 10,000 calls while everything goes wrong; SEED=… repeats a run, LEDGER=redis
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) --ledger $(or $(LEDGER),sqlite)

lint: $(DEV_READY)  ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict

docs: $(READY)  ## the page, schema and pictures that are generated
	@$(BIN)/python -m callflow.diagram > docs/call-states.md
	@$(BIN)/python -m routing.reading.schema > docs/rules.schema.json
	@sed -n 's|^flask rules timeline|$(BIN)/&|p' docs/cookbook.md | sh -e

bench: $(DEV_READY)  ## measure beside peers; QUICK=1 for a first impression
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

fuzz: SECONDS ?= 60
fuzz: $(FUZZ_READY)  ## fuzz what reads input, SECONDS=60 for each target
	@for each in $$($(BIN)/python -m tests.fuzz); do \
		$(BIN)/python -m tests.fuzz $$each $(SECONDS) || exit 1; done

soak: SECONDS ?= 1800
soak: RATE ?= 100
soak: LEDGER ?= sqlite
soak: $(DEV_READY)  ## RATE=100 calls a second for SECONDS=1800, LEDGER=sqlite or redis: what grows?
	@$(BIN)/python -m benchmarks.soak --seconds $(SECONDS) --rate $(RATE) --ledger $(LEDGER) \
		--report benchmarks/SOAK.md

lock: $(TOOLS_READY)  ## requirements*.txt from requirements*.in: every package, every hash
	@for each in requirements.in requirements-*.in; do \
		$(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
			--output-file $${each%.in}.txt $$each || exit 1; done

audit: $(TOOLS_READY)  ## known vulnerabilities of every package; asks PyPI
	@for each in requirements*.txt; do echo "$$each" && \
		$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r $$each || exit 1; done

clean:  ## remove what the other targets made; var/ with its ledger stays
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
		tests/sdk/node_modules tests/sdk/.lock benchmarks/peers/express/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c '$(OLD_ENOUGH)'; then \
		echo "Python 3.11 or newer is needed, and $(or $(PYTHON),python3) is not;" \
			"install one, or name it: make PYTHON=/path/to/python3.11 …" >&2; exit 1; fi
	@echo "setting up $(VENV), once …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(READY): requirements.txt | $(BIN)/python
	@$(INSTALL) requirements.txt
	@touch $@

$(DEV_READY): requirements.txt requirements-dev.txt | $(BIN)/python
	@$(INSTALL) requirements-dev.txt
	@touch $(READY) $@

$(TOOLS_READY): requirements-tools.txt | $(BIN)/python
	@$(BIN)/python -m venv $(TOOLS)
	@$(TOOLS)/bin/python $(PIP_INSTALL) requirements-tools.txt
	@touch $@

$(FUZZ_READY): requirements-fuzz.txt $(DEV_READY)
	@$(INSTALL) requirements-fuzz.txt
	@touch $@

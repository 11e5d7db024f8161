# Everything a fresh clone needs: Python 3.11+, git and make. `make demo` and `make test` set up the rest.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
# Side by side; a test file runs whole in one process, as its tests share a devnet. Faults run alone: they compare
# a second's load with the second before.
JOBS ?= 2

.PHONY: help demo test lint unit bench soak format tools dev run-deps upgrade clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.run-installed tools  ## the whole system on a local EVM, from nothing, in one command
	$(BIN)/jitctl demo

test: $(VENV)/.dev-installed tools lint unit  ## what CI runs

lint: $(VENV)/.dev-installed  ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev-installed tools  ## the tests alone; ARGS="tests/amm -x" for some of them
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --ignore tests/faults
	$(BIN)/python -m pytest tests/faults
else
	$(BIN)/python -m pytest $(ARGS)
endif

bench: $(VENV)/.dev-installed tools  ## measure, print, and write docs/benchmarks.md
	$(BIN)/python -m tests.bench $(ARGS)

soak: $(VENV)/.dev-installed tools  ## every fault and fuzz scenario at its full count
	JITCTL_FULL=1 $(BIN)/python -m pytest --timeout 7200 $(ARGS)

format: $(VENV)/.dev-installed  ## rewrite the sources in house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tools: $(VENV)/.run-installed  ## the pinned EVM and contract artifacts, checked by hash
	@$(BIN)/python -m jitctl.devnet.toolchain

dev: $(VENV)/.dev-installed tools  ## set up for working on jitctl

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "jitctl needs Python 3.11 or newer; none was found (set PYTHON=...)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable '.[devnet]'
	@touch $@

$(VENV)/.dev-installed: pyproject.toml constraints.txt $(VENV)/.run-installed
	$(PIP) install --constraint constraints.txt --editable '.[devnet,dev]'
	@touch $@

upgrade:  ## renew constraints.txt with the newest versions that pyproject.toml admits
	rm -rf .venv-upgrade && $(PYTHON) -m venv .venv-upgrade
	.venv-upgrade/bin/python -m pip --quiet install '.[devnet,dev]'
	{ echo '# Every version that CI and the demo run with; `make upgrade` renews it.'; \
	  .venv-upgrade/bin/python -m pip list --format freeze | grep -viE '^(jitctl|pip|setuptools|wheel)='; } > constraints.txt
	rm -rf .venv-upgrade

clean:  ## remove what was set up (not your data)
	rm -rf $(VENV) .tools build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

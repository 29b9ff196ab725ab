# Everything runs from a private environment in .venv; nothing else on the machine is touched.
# Dependencies come by their hashes, through uv where there is one (it is quicker), else through pip.
# ARGS is handed on: make test ARGS="-k vault", make demo ARGS=--no-browser

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench trust schema package practice lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv with the locked dependencies and the aurevoir command

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or newer, or name it: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) -V) is too old: name a Python 3.11 or newer, such as make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python has no venv module: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies; this takes a minute or two."
	@uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock 2>/dev/null \
	  || $(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q adapters connector workflows sandbox demo bench  # as of an installed package
	@touch $@

demo: $(READY)  ## walk a deal through a whole goodbye, on look-alikes of both CRMs
	$(BIN)/python -m demo $(ARGS)

test: $(READY)  ## run the whole test suite
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not trust" $(ARGS)

check: $(READY)  ## format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY)  ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## measure: calls a case, latency, memory; prints tables
	$(BIN)/python -m bench $(ARGS)

trust: $(READY)  ## kills, lost answers, load
	$(BIN)/python -m pytest -m trust $(ARGS)

schema: $(READY)  ## write config.example.yaml and docs/config.schema.json anew from the models
	$(BIN)/aurevoir config-schema --example > config.example.yaml
	$(BIN)/aurevoir config-schema > docs/config.schema.json

package: $(READY)  ## write the Salesforce package's source anew from our fields
	$(BIN)/python -c 'from adapters.salesforce.packaging import write_committed as write; write()'

practice: $(READY)  ## write docs/practice.md anew: each row of the practice and the tests that prove it
	$(BIN)/python tests/practice.py

lock:  ## resolve the dependencies anew, with hashes (needs uv)
	@command -v uv >/dev/null || { echo "uv was not found: pipx install uv"; exit 1; }
	UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --all-extras pyproject.toml --output-file requirements.lock

clean:  ## remove the environment and all caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

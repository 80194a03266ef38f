# One command for each thing a person does here. `make help` lists them.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Hashes decide what is installed; a source archive would run code that no hash of ours covers.
INSTALL := $(PIP) install --quiet --require-hashes --only-binary :all:
STAMPS := $(VENV)/.stamps

.DEFAULT_GOAL := help
.PHONY: help setup setup-test setup-bench run test lint fmt bench lock clean
.DELETE_ON_ERROR:

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMPS)/package ## make .venv with the program in it

run: setup ## start the server with nothing configured
	$(BIN)/entrepot serve

test: setup-test ## everything that has to pass: lint, types, layers, tests
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest $(PYTEST)

lint: setup-test ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup-test ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: setup-bench ## measure this server beside its peers
	$(BIN)/python -m bench $(BENCH)

lock: ## take new versions into the locks (needs uv on PATH)
	sh scripts/lock

clean: ## remove what make made, and no data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup-test: $(STAMPS)/package $(STAMPS)/test
setup-bench: setup-test $(STAMPS)/bench

# Stamps are named after what they are made from: a changed lock makes the next target install it.
$(STAMPS)/venv: scripts/venv
	sh scripts/venv $(VENV)
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: requirements.lock $(STAMPS)/venv
	$(INSTALL) -r requirements.lock
	touch $@

$(STAMPS)/package: pyproject.toml $(STAMPS)/runtime
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(STAMPS)/test: requirements-test.lock scripts/programs $(STAMPS)/runtime
	$(INSTALL) -r requirements-test.lock
	sh scripts/programs restic nodejs
	touch $@

$(STAMPS)/bench: requirements-bench.lock scripts/programs $(STAMPS)/test
	$(INSTALL) -r requirements-bench.lock
	sh scripts/programs wrk
	touch $@

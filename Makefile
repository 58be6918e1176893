# `make` prints what there is. Stamps under .venv/stamps and web/ keep a second set-up down to seconds.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip -qq --no-input --disable-pip-version-check
LOCK := $(abspath $(BIN))/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
	--no-emit-index-url --no-header

WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/tools -prune \
	-o -type f ! -name '*.test.ts' ! -name '*.test.tsx' -print)
# A folder is as new as the last file that was added to it or deleted.
WEB_FOLDERS := $(shell find web/src web/public -type d 2>/dev/null)
WEB_PATH = PATH="$$(tools/node_bin.sh):$$PATH"

ONLY ?=
MINUTES ?= 10

.PHONY: help run setup setup-run setup-dev web peers test lint format docs lock bench soak fuzz clean

help: ## print this list
	@echo "Parley: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r name text; do \
		printf '  %-8s %s\n' "$$name" "$$text"; done

run: setup-run web ## set up, then serve a demonstration with alice and bob on loopback; Ctrl-C stops it
	@exec $(BIN)/parley demo --dir var/demo

setup: setup-run setup-dev ## the virtual environment .venv with all that running and testing need

web: web/dist/index.html ## the web app's build in web/dist

test: setup web peers ## set up, then lint and every test; ends with what was skipped
	@$(BIN)/python tools/gates.py test

lint: setup web/node_modules/.stamp ## formatting, lint, types, import contracts, names of files
	@$(BIN)/python tools/gates.py lint

format: setup web/node_modules/.stamp ## rewrite the sources in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(WEB_PATH) && cd web && node_modules/.bin/biome check --write .

docs: setup web/node_modules/.stamp ## write the generated pages of docs/reference anew
	@$(BIN)/python tools/generate_docs.py

bench: setup web peers ## measure against the peers: make bench [ONLY=name]
	@$(BIN)/python -m bench $(ONLY)

soak: setup web peers ## the long tests: make soak [MINUTES=10]
	@PARLEY_SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -m soak -s

fuzz: setup ## all fuzz targets in turn, MINUTES together: make fuzz [MINUTES=10] [ONLY=name]
	@$(BIN)/python tools/fuzz.py --minutes $(MINUTES) $(ONLY)

lock: setup ## resolve requirements/*.in and pyproject.toml into the hashed locks
	@cd requirements && $(LOCK) ../pyproject.toml -o run.txt
	@cd requirements && $(LOCK) build.in -o build.txt
	@cd requirements && $(LOCK) dev.in ../pyproject.toml -c run.txt -o dev.txt
	@cd requirements && $(LOCK) node.in -o node.txt

clean: ## remove everything that the targets above created
	rm -rf $(VENV) var web/node_modules web/dist build
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* src/*.egg-info
	find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

setup-run: $(STAMPS)/run

setup-dev: $(STAMPS)/dev

peers: $(STAMPS)/peer-sources
	@tools/debian_peers.sh

$(STAMPS)/venv:
	@tools/make_venv.sh "$(PYTHON)" $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: requirements/run.txt requirements/build.txt pyproject.toml src/parley/__init__.py | $(STAMPS)/venv
	@echo "Installing what Parley needs to run…"
	@$(PIP) install --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/run
	@echo "Installing what the tests need…"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(STAMPS)/peer-sources: requirements/peer-sources.txt | $(STAMPS)/venv
	@echo "Fetching the sources of peers…"
	@$(PIP) download --no-deps --no-binary :all: --require-hashes -r $< -d $(VENV)/peer-sources
	@touch $@

web/node_modules/.stamp: web/package-lock.json web/package.json web/.npmrc | $(STAMPS)/venv
	@echo "Installing what the web app is built from…"
	@$(WEB_PATH) && cd web && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.stamp $(WEB_SOURCES) $(WEB_FOLDERS)
	@echo "Building the web app…"
	@$(WEB_PATH) && cd web && node_modules/.bin/vite build --logLevel warn
	@touch $@

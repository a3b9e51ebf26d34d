# Every target sets up what it needs first, from Python 3.11 or newer, git and make alone, and does it again only when
# what is locked has changed. `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.stamp
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-emit-package muster-agent $(if $(UPGRADE),--upgrade)
ARGS ?=
unexport PYTHONDONTWRITEBYTECODE # else every process of every test compiles everything again

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test quick bench web lock clean

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

setup: $(READY) ## the environment in .venv: locked packages, our programs, the console's bundle

demo: web ## a portal, this machine's agent and 500 simulated devices; prints the address to open
	$(BIN)/muster demo $(ARGS)

serve: web ## a portal over the data folder of ARGS="--data DIR --port N"
	$(BIN)/muster serve $(ARGS)

# The tests of the browser go alone: they wait for pages, and their driver keeps an event loop. Code 5: ARGS chose none.
test: web ## the whole test suite, but for the long fault rounds (ARGS="..." goes to pytest)
	$(BIN)/pytest -n logical -m "not browser and not faults" $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/pytest -m browser $(ARGS) || [ $$? -eq 5 ]

quick: $(READY) ## format, lint, types, and the tests that take under a minute together
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy . .ci
	$(BIN)/python hatch_build.py check
	$(BIN)/pytest -n logical --benchmark-disable -m "not browser and not slow and not faults" --hypothesis-profile=quick $(ARGS)

bench: $(READY) ## the measurements (ARGS="..." goes to pytest)
	$(BIN)/pytest benchmarks --benchmark-only $(ARGS)

web: $(READY) ## bundle the console again if its sources changed
	@$(BIN)/python hatch_build.py

lock: $(READY) ## compile the lock files again (UPGRADE=1 takes the newest versions)
	$(LOCK) requirements/setup.in -o requirements/setup.txt
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml requirements/setup.in requirements/build.in --extra notebook --extra lsp --extra postgres \
		--group test --group lint \
		-c requirements/runtime.txt -c requirements/build.txt -o requirements/dev.txt
	$(LOCK) requirements/bench.in -c requirements/dev.txt -o requirements/bench.txt
	$(BIN)/python hatch_build.py lock

clean: ## remove everything that is built or installed
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks build dist portal/web/node_modules portal/static

$(READY): requirements/setup.txt requirements/dev.txt pyproject.toml agent/pyproject.toml agent/version.py
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/setup.txt
	$(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable . --editable agent
	@touch $@

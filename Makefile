# Every target sets up what it needs first, from Python 3.11 or newer, git and make alone, and does it again only when
# what is locked has changed. `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.stamp
CLIENTS := .venv/clients/.stamp
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-emit-package muster-agent $(if $(UPGRADE),--upgrade)
ARGS ?=
# One more than there are processors: many tests wait for processes and devices.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
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

# The tests of the browser go beside the others, in a process of their own: they wait for pages, and their driver keeps an
# event loop. What they say comes last. Code 5: ARGS chose none. Work is stolen, not dealt out, so that fixtures of a
# folder are mostly made once.
test: web $(CLIENTS) ## the whole test suite, but for the long fault rounds (ARGS="..." goes to pytest)
	@said=$$(mktemp) && { $(BIN)/pytest -m browser $(ARGS) >$$said 2>&1 & beside=$$!; \
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not browser and not faults" $(ARGS); tests=$$?; \
	wait $$beside; browser=$$?; cat $$said; rm $$said; \
	for code in $$tests $$browser; do [ $$code -eq 0 ] || [ $$code -eq 5 ] || exit $$code; done; }

quick: $(READY) $(CLIENTS) ## format, lint, types, and the tests that take under a minute together
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy . .ci
	$(BIN)/python hatch_build.py check
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --benchmark-disable --hypothesis-profile=quick \
		-m "not browser and not slow and not faults" $(ARGS)

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
	$(LOCK) requirements/clients.in -c requirements/dev.txt -o requirements/clients.txt
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

$(CLIENTS): $(READY) requirements/clients.txt
	$(BIN)/uv pip sync --quiet --require-hashes --target .venv/clients requirements/clients.txt
	@touch $@

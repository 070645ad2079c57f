# Leadline's commands. `make run` is enough to start; `make help` lists the rest.
# Windows has no make: README.md gives the uv commands.

PYTHON ?= python3
JOBS ?= 2
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
SLOW := model or e2e
SHOTS ?= shots
MODEL ?= demo
PACKAGES := app assets engine tests widgets
# Given once it is kept: `make setup BACKEND=cuda`, later `make run`.
SETUP = @$(PYTHON) -m engine.environment
WITH_BACKEND = $(if $(BACKEND),--backend $(BACKEND))

export PYTHONDONTWRITEBYTECODE ?= 1

.DEFAULT_GOAL := help
.PHONY: help python byte-code run setup setup-test test check lint fast-tests format screenshots bench reference lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Leadline needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }

setup: python ## Install everything. BACKEND=auto|cpu|cuda|vulkan|metal picks what llama.cpp uses
	$(SETUP) run $(WITH_BACKEND)

setup-test: python
	$(SETUP) test $(WITH_BACKEND)

byte-code: setup
	@$(PY) -m compileall -q app assets engine widgets

run: byte-code ## Set up, then open the window; without a display do the same job headless
ifeq ($(shell uname -s)$(DISPLAY)$(WAYLAND_DISPLAY),Linux)
	@echo "No display here: running the window offscreen."
	@mkdir -p $(SHOTS)
	$(PY) -m app --headless --screenshot $(SHOTS)/run.png
else
	$(PY) -m app --first demo
endif

test: setup-test ## All tests: the quick ones on JOBS processes, then those with a model one by one
	@status=0; \
	$(PYTEST) -n $(JOBS) --dist loadfile -m "not ($(SLOW))" || status=$$?; \
	$(PYTEST) -m "$(SLOW)" || status=$$?; \
	exit $$status

check: lint fast-tests ## Style, types, import rules and the tests that take a moment

lint: setup-test
	$(PY) -m ruff check $(PACKAGES)
	$(PY) -m ruff format --check $(PACKAGES)
	$(PY) -m mypy
	.venv/bin/lint-imports

fast-tests: setup-test
	$(PYTEST) -q -n $(JOBS) --dist loadfile -m "not ($(SLOW) or window)"

format: setup-test ## Put the code into its one style
	$(PY) -m ruff check --fix $(PACKAGES)
	$(PY) -m ruff format $(PACKAGES)

screenshots: setup-test ## The main states of the window, light and dark, into SHOTS
	@mkdir -p $(SHOTS)
	QT_QPA_PLATFORM=$${QT_QPA_PLATFORM:-offscreen} $(PY) -m app --screenshots $(SHOTS)

bench: setup ## Speed of MODEL (the demo model) on this machine; docs/speed.md says more
	$(PY) -m app.cli bench $(MODEL) --raw

reference: setup-test ## Write docs/settings.md from the declared settings
	$(PY) -m engine.settings.reference > docs/settings.md

lock: python ## Resolve the dependencies again and write the locks
	$(SETUP) lock

clean: ## Remove what was built here; the user's data and uv's cache stay
	rm -rf .venv .tools .cache build dist shots
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

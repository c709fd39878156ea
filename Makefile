# Everything below prepares itself; the machine needs Python 3.11 or newer, and make.
SHELL := /bin/sh
BIN := .venv/bin
DEMO := .venv/.ready-for-demo
READY := .venv/.ready
SOURCES := pyproject.toml uv.lock scripts/prepare.py setup.py $(shell find rust -name '*.rs' -o -name 'Cargo.*')
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$python && break; done)
PREPARE = $(if $(PYTHON),$(PYTHON),$(error Python 3.11 to 3.14 is needed and was not found; try: make PYTHON=/path/to/python)) scripts/prepare.py

.PHONY: help demo test quick twin integration lint format docs wheel bench clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-14s%s\n", $$1, $$2 }' Makefile

$(DEMO): $(SOURCES)
	@echo "preparing .venv (the first time downloads about 300 MB)"
	@$(PREPARE) demo
	@touch $@

$(READY): $(SOURCES)
	@echo "preparing .venv for tests (the first time downloads about 800 MB, of which Spark is 450)"
	@$(PREPARE) dev
	@touch $(DEMO) $@

demo: $(DEMO)  ## run the main job through real Airflow, end to end (KEEP=1 leaves it running)
	@$(BIN)/python examples/demo/run.py $(if $(KEEP),--keep)

test: lint quick twin integration  ## linters and the whole suite

quick: $(READY)  ## the tests that need no server
	$(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal -m "not integration"

twin: $(READY)  ## the tests of all techniques, without native kernels
	CAPE_KERNELS=python $(BIN)/pytest tests/transformations -m "not integration"

integration: $(READY)  ## the tests that start Airflow, PostgreSQL or an object store, kill things, or count instructions
	@scripts/prepare_integration.sh
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile -m integration

lint: $(READY)  ## style, types and import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@! command -v cargo-clippy >/dev/null || { cd rust && cargo fmt --check && cargo clippy --locked --quiet -- -D warnings; }

format: $(READY)  ## put code and imports into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	@! command -v cargo-fmt >/dev/null || { cd rust && cargo fmt; }

docs: $(READY)  ## write the generated pages of docs/ anew
	$(BIN)/python -m cape_airflow.transformations.reference > docs/.transformations.md
	mv docs/.transformations.md docs/transformations.md
	$(BIN)/python tests/test_errors_page.py

wheel:  ## build a wheel with the native kernels into dist/ (needs Rust)
	@$(PYTHON) scripts/wheel.py

bench: $(READY)  ## ratios to peers and to plain copies, 25 minutes (ARGS=--quick: 3 minutes)
	@$(BIN)/python -m benchmarks $(ARGS)

clean:  ## remove what make made
	rm -rf .venv .uv .demo .bench .hadoop build dist rust/target cape_airflow/kernels/_native.*so *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

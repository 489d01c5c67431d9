# Everything a fresh machine needs is Python 3.11 and make: each target sets up what it uses.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/bin/uv
STAMP := $(VENV)/.installed

.PHONY: demo test lint types rules check bench chaos up lock clean help

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(UV):
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv

$(STAMP): requirements/dev.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements/dev.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

demo: $(STAMP) ## Set up, start the made-up city's systems, land, build and check
	$(BIN)/gridlake demo

test: $(STAMP) ## Run the tests
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(STAMP) ## Format check, lint, types, import rules, SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 1 dbt/models dbt/tests
	$(BIN)/gridlake contracts check

bench: $(STAMP) ## Run the benchmarks; each skips with a message where its data is absent
	@for bench in tests/bench/bench_*.py; do $(BIN)/python $$bench || exit 1; done

chaos: $(STAMP) ## Kill landing and building at random moments, then compare with an undisturbed run
	PYTHONPATH=tests/integration $(BIN)/python tests/bench/chaos.py

up: $(STAMP) ## Start Dagster's pages and daemon; for the made-up city its source systems too
	$(BIN)/gridlake up

lock: $(UV) ## Pin all requirements again, with hashes and without any registry address
	$(UV) pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements/main.lock
	$(UV) pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements/dev.lock

clean: ## Remove the environments, what dbt wrote, and every lake below .gridlake
	rm -rf $(VENV) .tools .gridlake dbt/target dbt/logs

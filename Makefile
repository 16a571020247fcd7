# StatGrid: everything a user or developer does from a checkout. `make` alone lists it.

PYTHON := .venv/bin/python
# The Python of QGIS, which the environment is made from.
QGIS_PYTHON ?= /usr/bin/python3
# The QGIS profile for `make install` and `make uninstall`; empty means QGIS's default one.
PROFILE ?=
# Folder of downloaded data for `make guizhou` and `make rhone-alpes`.
DATA ?=
# Further arguments for pytest: make test ARGS="-k grid".
ARGS ?=

export QGIS_PYTHON
READY := .venv/.make-ready
SHIPPED := __init__.py $(wildcard plugin.py) algorithms models reports spatial

.DEFAULT_GOAL := help
.PHONY: help setup demo guizhou rhone-alpes accuracy levels industry sample benchmark test test-matrix gui-check \
	lint lint-style lint-types format install uninstall zip clean

help: ## List what make can do
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## Install QGIS (Debian, Ubuntu) and make the Python environment .venv
	@echo "StatGrid is set up."

$(READY): requirements.txt requirements-dev.txt scripts/setup.sh scripts/environment.py
	@scripts/setup.sh
	@touch $@

demo: $(READY) ## Map a small made-up region from end to end
	@$(PYTHON) scripts/demo.py

guizhou: $(READY) ## Map the population of Guizhou: make guizhou DATA=folder
	@$(PYTHON) scripts/guizhou.py $(DATA)

rhone-alpes: $(READY) ## Map the population of Rhone-Alpes: make rhone-alpes DATA=folder
	@$(PYTHON) scripts/rhone_alpes.py $(DATA)

accuracy: $(READY) ## Compare all methods on regions with known truth: make accuracy DATA=folder
	@$(PYTHON) scripts/accuracy.py $(DATA) $(ARGS)

levels: $(READY) ## Try the default on more levels and parts of these regions: make levels DATA=folder
	@$(PYTHON) scripts/levels.py $(DATA) $(ARGS)

industry: $(READY) ## SA-CNN and its rivals on a simulated industry over real light: make industry DATA=folder
	@$(PYTHON) scripts/industry.py $(DATA) $(ARGS)

sample: $(READY) ## Make the sample region anew
	@$(PYTHON) scripts/make_sample.py

benchmark: $(READY) ## Measure speed and memory here, against alternatives (ARGS="--land-use-size 4000" for a smaller map)
	@$(PYTHON) scripts/benchmark.py $(ARGS)

test: $(READY) ## Run all tests under this system's QGIS (ARGS= goes to pytest)
	@scripts/run_tests.sh $(PYTHON) $(ARGS)

test-matrix: ## Run the QGIS and model tests under Debian 13's QGIS (needs root)
	@scripts/test_matrix.sh $(ARGS)

gui-check: $(READY) ## Use the plugin in a real QGIS window (needs xvfb; ARGS=--docs renews the pictures)
	@$(PYTHON) scripts/gui_check.py $(ARGS)

lint: lint-style lint-types ## Check style, types, safety and the direction of imports
	$(PYTHON) -m bandit --quiet --recursive $(SHIPPED)
	git ls-files -z | xargs -0 .venv/bin/detect-secrets-hook
	@scripts/run_tests.sh $(PYTHON) -q test/test_house.py

lint-style: $(READY)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

lint-types: $(READY)
	@mkdir -p build/link && ln -sfn ../.. build/link/statgrid
	cd build/link && ../../$(PYTHON) -m mypy --config-file ../../pyproject.toml --cache-dir ../mypy -p statgrid

format: $(READY) ## Put the code into the house's format
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

install: ## Install the plugin into your QGIS profile (PROFILE= for another one)
	@scripts/setup.sh packages
	@$(QGIS_PYTHON) scripts/install.py install $(if $(PROFILE),"$(PROFILE)")

uninstall: ## Remove the plugin and its environment from your QGIS profile
	@$(QGIS_PYTHON) scripts/install.py uninstall $(if $(PROFILE),"$(PROFILE)")

zip: ## Pack the committed plugin as build/statgrid-VERSION.zip
	@scripts/make_zip.sh

clean: ## Remove what was built; .venv and downloaded data stay
	rm -rf build .qgis-settings .mypy_cache .ruff_cache .pytest_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# make help says what there is. PYTHON chooses the interpreter, VENV where the environment lies.

ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
  $$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
  && echo $$p && break; done)
endif
VENV ?= .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
NODE_MODULES := frontend/node_modules/.package-lock.json
SETUP := pyproject.toml setup.py
LOGS := demo/logs

.DEFAULT_GOAL := help
.PHONY: help rule snapshots demo test zoo identity fuzz lint versions dist page browser clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS=...       further arguments: make demo ARGS='--no-serve --seed 1', make test ARGS='-k rules'"
	@echo "  PYTHON=...     interpreter, 3.10 to 3.13 (now: $(PYTHON))"
	@echo "  VENV=...       environment (now: $(VENV))"
	@echo "  CASES=, DATA=  published faulty programs and their arrays, for make zoo"
	@echo "  BROWSER=...    path of Chromium or Chrome for make test; none leaves the browser tests out"

demo: $(VENV)/.demo page  ## train six networks on real data and open the tab: everything is installed first
	@rm -rf $(LOGS)
	@$(VENV)/bin/tb-convergence demo --logdir $(LOGS) $(ARGS)

test: $(VENV)/.test $(NODE_MODULES) page browser  ## every check and every test
	@TB_CONVERGENCE_BROWSER="$(BROWSER)" $(PY) tools/check.py -- $(ARGS)

rule: $(VENV)/.test  ## a new diagnosis: make rule ID=my-rule ARGS="--kind cause --statistic update_ratio"
	@$(PY) tools/new_rule.py $(ID) $(ARGS)

snapshots: $(VENV)/.test  ## write the reviewed wording of the findings anew: tests/snapshots/
	@$(PY) tools/snapshots.py $(ARGS)

lint: $(VENV)/.test $(NODE_MODULES)  ## the checks that run nothing: ruff, mypy, tsc, biome
	@$(PY) tools/check.py lint

zoo: $(VENV)/.test  ## 90 sick programs and their twins, three seeds: is the right cause named?
	@PYTHONPATH=$(CURDIR):$(CURDIR)/tests TF_CPP_MIN_LOG_LEVEL=3 $(PY) -m zoo \
	  $(if $(CASES),--cases '$(CASES)') $(if $(DATA),--data '$(DATA)') $(ARGS)

identity: $(VENV)/.test  ## 44 programs trained with and without the callback, compared bit for bit; ARGS='vae lora'
	@PYTHONPATH=$(CURDIR) $(PY) -m tests.identity --corpus $(ARGS)

fuzz: $(VENV)/.test  ## 50,000 damaged event files, two hours; goes on where it was stopped
	@PYTHONPATH=$(CURDIR) $(PY) -m tests.fuzzing $(ARGS)

bench: $(VENV)/.test  ## what recording, reading and the page cost: docs/benchmarks.md; ARGS=NAME for one table
	@$(PY) -m benchmarks --output docs/benchmarks.md $(ARGS)

versions: $(VENV)/.test  ## the plugin with old versions of TensorBoard, each in an environment of its own
	@$(PY) tools/tensorboard_versions.py $(ARGS)

dist: $(VENV)/.test  ## source archive and wheel in dist/
	@$(PY) -m build

page: | $(VENV)/bin/python
	@$(PY) tools/bundle.py

browser: | $(VENV)/bin/python
	@TB_CONVERGENCE_BROWSER="$(BROWSER)" $(PY) tools/browser.py

clean:  ## remove everything that make has made
	rm -rf $(VENV) build dist *.egg-info artifacts $(LOGS) frontend/node_modules
	rm -rf tb_convergence/serving/static .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.10 to 3.13 on PATH: install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Making the environment $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "error: $(PYTHON) cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install --upgrade pip

$(VENV)/.demo: $(SETUP) | $(VENV)/bin/python
	@echo "Installing the plugin, TensorFlow and scikit-learn (once) ..."
	@PYTHONWARNINGS=ignore $(PIP) install --editable '.[demo,tensorflow-cpu]'
	@touch $@

$(VENV)/.test: $(SETUP) | $(VENV)/bin/python
	@echo "Installing the plugin, TensorFlow and the test tools (once) ..."
	@PYTHONWARNINGS=ignore $(PIP) install --editable '.[demo,tensorflow-cpu,test]' $$($(PY) tools/bundle.py needs)
	@touch $@ $(VENV)/.demo

$(NODE_MODULES): frontend/package.json frontend/package-lock.json | $(VENV)/.test
	@$(PY) tools/bundle.py run npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# make run    serve on 127.0.0.1:9127, with the libraries of EXTRAS=redis,celery,sql,mysql,postgresql
# make test   the gate: tests, types, lint; JOBS=4 files at once
# make test-all  the tests but the slow black box, on each Python: PYTHONS="3.12 3.13"
# make bench  measure, as ratios
# make fmt    format the code
# make chaos  kill everything, ROUNDS=20 times, from SEED=1 on
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUFF := $(BIN)/ruff
RUFF_CONFIG := --config .ci/ruff.toml --no-cache
EXTRAS ?=
JOBS ?= 4
PYTHONS ?= 3.11.2 3.11 3.12 3.13 3.14
ROUNDS ?= 20
SEED ?= 1
SOURCES := app tests wsgi.py gunicorn.conf.py

# Empty is off: the tests start many processes, and each would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test test-all bench chaos fmt clean

run: $(VENV)/.installed$(if $(EXTRAS),-$(EXTRAS))
	$(BIN)/siteswap serve

test: $(VENV)/.installed-test
	$(RUFF) check $(RUFF_CONFIG) $(SOURCES)
	$(RUFF) format $(RUFF_CONFIG) --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-all:
	PYTHONS="$(PYTHONS)" .ci/test-all

bench: $(VENV)/.installed-test
	$(BIN)/python -m tests.bench

chaos: $(VENV)/.installed-test
	$(BIN)/python -m tests.chaos --rounds $(ROUNDS) --seed $(SEED)

fmt: $(VENV)/.installed-test
	$(RUFF) check $(RUFF_CONFIG) --fix $(SOURCES)
	$(RUFF) format $(RUFF_CONFIG) $(SOURCES)

clean:
	rm -rf $(VENV) .venv-* build *.egg-info

$(VENV)/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 2) and "Siteswap needs Python 3.11.2 or newer; write: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

# One file for each choice of extras, made when they are installed.
$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

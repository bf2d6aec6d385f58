# make demo · make test · make bench · make lint · make docs · make format · make clean
# Each makes its own environment in .venv once, and rebuilds the native core where it changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -qq
# Two processes fit the machines that we test on; one thread each, so that they do not fight.
TEST_PROCESSES ?= 2

# Folders are in the lists as well: a file that goes away changes its folder's time.
NATIVE := CMakeLists.txt $(shell find native)
PYTHON_FILES := $(sort $(shell find src -name '*.py'))

export PIP_REQUIRE_VIRTUALENV := 1

.PHONY: demo test bench lint docs format build clean FORCE
.DELETE_ON_ERROR:

demo: build
	$(BIN)/relembra demo

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) -q

bench: build $(VENV)/.bench
	$(BIN)/python -m benchmarks $(ARGS)

# The peers that it measures against; no other target needs them.
$(VENV)/.bench: $(VENV)/.tools
	$(PIP) install -c constraints.txt --no-build-isolation --editable '.[bench]'
	@touch $@

lint: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: build
	$(BIN)/python -m pytest -q -n 0 tests/docs
	$(BIN)/mkdocs build --quiet --strict

format: build
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

CXX ?= c++
include native/tests/checks.mk

build: $(VENV)/.installed

# The first line makes the build tools present, so that the second needs no isolated environment:
# the build is quick, works offline once .venv exists, and keeps its objects in build/.
$(VENV)/.tools: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Relembra needs Python 3.11 \
	or later, this is %s; say for example: make PYTHON=python3.12" % sys.version.split()[0])'
	@echo 'Making $(VENV) and compiling the native core: one to two minutes, once.'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt cmake nanobind ninja scikit-build-core torch
	$(PIP) install -c constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@

# An editable install remembers which Python files there were: this one's time changes with the list.
$(VENV)/.files: $(VENV)/.tools FORCE
	@echo '$(PYTHON_FILES)' | cmp -s - $@ || echo '$(PYTHON_FILES)' > $@

$(VENV)/.installed: $(VENV)/.tools $(VENV)/.files $(NATIVE)
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

clean:
	rm -rf $(VENV) build dist site runs src/relembra/_native.pyi
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `make demo` and `make test` do all of their own set-up in .venv; a second run starts at once.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit wheel docs site clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGE := $(VENV)/.package
STAMP := $(VENV)/.installed
# torch is named with its bounds: they make pip take the CPU wheel where one lies ready.
TORCH := $(shell sed -n 's/^ *"\(torch>=[^"]*\)",$$/\1/p' pyproject.toml)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Two test workers share two cores; more threads than cores make each slower.
THREADS := OMP_NUM_THREADS=1

define timed
	@set -e; start=$$SECONDS; echo "== $(1)"; $(2); echo "== $(1): $$((SECONDS - start)) s"
endef

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)$$/make \1\t\2/p' $(MAKEFILE_LIST)

# What the demo and the README's commands need: the package and its search (1.35 GB, 0.7 of it torch, 0.35 LanceDB with
# PyArrow). Modules are compiled when they are first imported, as most never are.
$(PACKAGE): pyproject.toml hatch_build.py src/tutti/models/layers/native/products.c
	@set -e; start=$$SECONDS; echo "== the package, in $(VENV)"; \
	test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.12 ..."; exit 1; }; \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --no-compile "$(TORCH)" --editable ".[search]"; \
	touch $(PACKAGE); echo "== the package: $$((SECONDS - start)) s, $$(du -sm $(VENV) | cut -f1) MB"

$(STAMP): $(PACKAGE)
	@set -e; start=$$SECONDS; echo "== what tests need, in $(VENV)"; \
	$(BIN)/python -m pip install --quiet --editable ".[dev]"; \
	touch $(STAMP); echo "== what tests need: $$((SECONDS - start)) s"

demo: $(PACKAGE)  ## ask tutti-mini about a picture, a recording and a video
	@set -e; export PATH="$(CURDIR)/$(BIN):$$PATH"; cd examples/media; \
	ask() { printf '\n$$ tutti ask "%s" %s\n' "$$1" "$$2"; tutti ask "$$1" "$$2"; }; \
	ask "What animal is this?" picture.png; \
	ask "What do you hear?" recording.ogg; \
	ask "What can be heard?" video.mp4

test: lint types unit wheel  ## everything that must hold before a change is taken

lint: $(STAMP)  ## style, layers, generated pages
	$(call timed,ruff,$(BIN)/ruff check .; $(BIN)/ruff format --check .)
	$(call timed,import contract,$(BIN)/lint-imports)
	$(call timed,generated parts of pages,$(BIN)/python tools/readme.py --check)

types: $(STAMP)  ## mypy --strict over every room
	$(call timed,mypy,$(BIN)/mypy)

unit: $(STAMP)  ## the tests
	$(call timed,pytest,$(THREADS) $(BIN)/python -m pytest -n 2 -q)

wheel: $(STAMP)  ## build, install bare, smoke-run
	$(call timed,wheel,BIN=$(BIN) bash tools/smoke_wheel.sh)

docs: $(STAMP)  ## write the generated parts of pages again, and what their commands print
	$(BIN)/python tools/readme.py
	$(BIN)/python -m tools.guides --write README.md docs/index.md docs/guides/*.md

site: $(STAMP)  ## build docs/ into site/; open site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "look at site/index.html"

clean:  ## remove what was built, keep .venv
	rm -rf build dist site .wheel .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .grimp_cache .hypothesis

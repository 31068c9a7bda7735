# timeloop-marl: `make demo` shows what it does, `make check` runs what CI runs. Needs nothing but Python >= 3.10.
# Another interpreter: make PYTHON=python3.12 demo

VENV := .venv
BIN := $(VENV)/bin
LAYER := problems/resnet18/conv2_3x3.yaml

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check lint types bench bench-search fuzz docs inputs clean run-venv dev-venv

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: run-venv  ## search a mapping of a ResNet-18 layer on an Eyeriss-like machine, into out/demo
	@rm -rf out/demo
	$(BIN)/timeloop-marl search arch/eyeriss_like/*.yaml $(LAYER) -o out/demo --samples 2000 --seed 1
	$(BIN)/timeloop-marl cluster arch/eyeriss_like/*.yaml $(LAYER) -o out/demo --seed 1

test: dev-venv  ## all tests but the slow ones
	tools/tests.sh $(BIN)/python

test-all: dev-venv  ## all tests
	$(BIN)/python -m pytest

check: lint types test  ## lint, format, types and tests

lint: dev-venv  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: dev-venv  ## mypy --strict
	$(BIN)/mypy

bench: run-venv  ## mappings per second of the cost model
	$(BIN)/python benchmarks/throughput.py

bench-search: run-venv  ## samples that searchers need for a good mapping, a few minutes
	$(BIN)/python benchmarks/sample_efficiency.py

fuzz: dev-venv  ## hostile inputs: 20,000 mutants of the example files
	$(BIN)/python -m tests.fuzz --mutants 20000

docs: run-venv  ## the documentation as a web site, into build/site
	@tools/venv.sh $(VENV) docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

inputs: dev-venv  ## write problems/, mappers/ and the cited energy tables anew
	$(BIN)/python tools/make_problems.py
	$(BIN)/python tools/make_tables.py
	$(BIN)/python tools/make_mappers.py

run-venv:
	@tools/venv.sh $(VENV)

dev-venv:
	@tools/venv.sh $(VENV) test,check

clean:  ## remove everything that was made here
	rm -rf $(VENV) out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

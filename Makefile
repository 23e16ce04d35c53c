# Two commands for a newcomer: `make run` opens the page with a talking portrait, `make test` checks everything.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8420

RUN := .venv
TEST := .venv-test
RUN_EXTRAS := tts,text

.PHONY: run test lint unit clean tools-present

run: $(RUN)/ready
	-$(RUN)/bin/mien fetch
	$(RUN)/bin/mien serve --host $(HOST) --port $(PORT) --open

test: lint unit

$(RUN)/ready $(TEST)/ready: pyproject.toml $(wildcard kernels/*.cpp kernels/*.h) | tools-present
	@echo "Installing mien and what it needs into $(@D): about a minute."
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[$(if $(filter $(RUN),$(@D)),$(RUN_EXTRAS),dev)]'
	@touch $@

tools-present:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'mien needs Python 3.11 or newer: make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || { echo 'Python lacks venv: apt-get install python3-venv'; exit 1; }
	@command -v c++ >/dev/null || { echo 'mien compiles its kernels and needs a C++ compiler: apt-get install g++'; exit 1; }

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
	rm -rf $(RUN) $(TEST) build dist *.egg-info kernels/*.so

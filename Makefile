# make run: the demo; make test: every test; make check: everything that is quick, before each commit.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test check bench clean

run: $(VENV)/.runtime
	@$(BIN)/gateway demo

$(VENV)/.runtime: setup.cfg
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: setup.cfg
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.runtime

test: $(VENV)/.dev
	@$(BIN)/python -m tests.install_peers
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[ldap]' || \
	  echo 'left out: the tests against an LDAP server, for python-ldap needs gcc, libldap-dev and libsasl2-dev'
	@$(BIN)/python -m pytest

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -m "not interop"

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench.hop --gateway

clean:
	rm -rf $(VENV) var build *.egg-info

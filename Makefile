# make run: the demo; make test: every test; make check: everything that is quick, before each commit;
# make audit: known holes of what we stand on, bandit, sslyze against our doors, and var/sbom.json.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test check audit bench clean

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
	@$(BIN)/python -m pytest -m "not interop" --numprocesses auto --dist loadfile

# B101: asserts narrow types and guard nothing. B105: names of settings. B311: jitter. B608: SQL of fixed pieces and marks
# for values; ruff (S608) wants a reason at each place.
REVIEWED := B101,B105,B311,B608

$(VENV)/.audit: setup.cfg
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit bandit sslyze cyclonedx-bom
	@touch $@

audit: $(VENV)/.dev $(VENV)/.audit
	@mkdir -p var
	@$(BIN)/python -m pip freeze --exclude-editable > var/requirements.txt
	@$(VENV)/audit/bin/bandit --quiet --recursive --skip $(REVIEWED) gateway plugins
	@$(VENV)/audit/bin/cyclonedx-py environment $(BIN)/python --output-reproducible --output-file var/sbom.json
	@$(BIN)/python -m tests.audit $(VENV)/audit/bin/sslyze
	@$(VENV)/audit/bin/pip-audit --strict --requirement var/requirements.txt --no-deps --disable-pip

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench.hop --gateway

clean:
	rm -rf $(VENV) var build *.egg-info

# fastpptp: `make run` starts a headend, `make test` proves it. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
SOURCES := $(wildcard src/fastpptp/*.pyx src/fastpptp/*.pxd src/fastpptp/dataplane/*.p?? \
           src/fastpptp/dataplane/*.h src/fastpptp/include/*.h) setup.py
CORE := $(VENV)/.core
TOOLS := $(VENV)/.tools
UNIT := tests/unit -m 'not slow'
# Tests on several cores, a process each.
BESIDE := --numprocesses auto --maxprocesses 4 --maxschedchunk 50

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start interpreters, and pytest rewrites its modules: compiled once, not each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

$(VENV)/.base: pyproject.toml ci/packages ci/venv
	@ci/packages build
	@ci/venv $(VENV)
	@touch $@

$(TOOLS): $(VENV)/.base
	@ci/packages test
	@ci/venv $(VENV) test,check,bench
	@touch $@

$(CORE): $(VENV)/.base $(SOURCES)
	@echo "== building the extension"
	@$(VENV)/bin/pip install -q --no-build-isolation --no-deps -e .
	@touch $@

.PHONY: build
build: $(CORE) ## the venv and the extension

.PHONY: run
run: $(CORE) ## a working headend; LISTEN=<address> opens it to a network
	@ci/packages run
	@ci/run-headend $(LISTEN)

.PHONY: dial
dial: $(CORE) ## from another terminal: dial the headend of `make run` and ping through it
	@ci/dial

.PHONY: lint
lint: $(CORE) $(TOOLS)
	@$(VENV)/bin/ruff check -q .
	@$(VENV)/bin/ruff format -q --check .
	@PATH=$(VENV)/bin:$$PATH cython-lint src/fastpptp/_core.pyx src/fastpptp/dataplane/*.pxi
	@$(VENV)/bin/mypy

.PHONY: unit
unit: $(CORE) $(TOOLS)
	@$(VENV)/bin/pytest -q $(UNIT) $(BESIDE)

.PHONY: check
check: $(CORE) $(TOOLS) ## lint, types, unit tests; under a minute
	@$(MAKE) -s -j2 -O lint unit

.PHONY: test
test: lint ## every test, reduced counts; under 15 minutes
	@ci/lab
	@ci/test

.PHONY: soak
soak: lint ## every test, full counts
	@ci/lab
	@FASTPPTP_SOAK=1 ci/test

.PHONY: interop
interop: $(CORE) $(TOOLS) ## Debian's pppd, pptp-linux, pptpd and kernel MPPE in a guest
	@ci/lab
	@$(VENV)/bin/pytest tests/interop

.PHONY: bench
bench: $(CORE) $(TOOLS) ## measure; writes bench/results/
	@ci/packages bench
	@ci/lab
	@$(PY) -m bench $(BENCH)

.PHONY: docs
docs: $(CORE) ## docs/settings.md, metrics.md, drops.md, events.md, snmp.md and the MIB, made from the declarations
	@$(PY) -m fastpptp.settings.reference docs/settings.md
	@$(PY) -m fastpptp.admin.reference docs/metrics.md
	@$(PY) -m fastpptp.admin.drops docs/drops.md
	@$(PY) -m fastpptp.events.reference docs/events.md
	@$(PY) -m fastpptp.snmp.reference docs/snmp.md docs/mibs/FASTPPTP-MIB.txt

PREFIX := /opt/fastpptp

.PHONY: install
install: ## as root: /opt/fastpptp, /usr/local/bin/fastpptp and the systemd service; undo with uninstall
	@ci/packages build
	@ci/packages run
	@ci/install $(PREFIX)

.PHONY: uninstall
uninstall: ## take away what install has put there; the store and the logs stay
	@ci/install --undo $(PREFIX)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(VENV) build dist src/fastpptp/_core.c src/fastpptp/*.so src/*.egg-info

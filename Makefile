# The front door. `make help` lists what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help

BUILD := $(CURDIR)/build
DIST := $(CURDIR)/dist
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export OPENMIOSA_BIN_DIR ?= $(CARGO_TARGET_DIR)/release
# Which toolchain is used is the machine's choice; nothing is downloaded behind its back.
export RUSTUP_AUTO_INSTALL := 0
# Where `make toolchains` puts Node.js and Go, on machines that have none of their own.
export PATH := $(CURDIR)/build/toolchains/bin:$(PATH)
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
TESTS ?=

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: walkthrough
walkthrough: ## build everything, run the seven steps and the rotation, and prove them (SDK=typescript or go; LIVE=1: real services; DEVICE=1: device flow)
	@tools/walkthrough.sh

.PHONY: test
test: setup ## run every test
	cargo test --release --locked --workspace $(CARGO_QUIET)
	$(PYTEST) $(TESTS)

.PHONY: check
check: setup ## formatting, lints, types and import laws
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

.PHONY: host
host:
	@command -v python3 >/dev/null || { echo "python3 is missing: sudo apt-get install python3 python3-venv"; exit 1; }
	@python3 -m tools.hostcheck --quiet

.PHONY: hostcheck
hostcheck: ## say what this machine lacks, and the command that mends it
	@command -v python3 >/dev/null || { echo "python3 is missing: sudo apt-get install python3 python3-venv"; exit 1; }
	@python3 -m tools.hostcheck

.PHONY: host-setup
host-setup: ## (sudo) let `cell` make user namespaces where Ubuntu's AppArmor forbids it; shows, asks, installs
	@tools/host_setup.sh

.PHONY: host-sdks
host-sdks: host
	@python3 -m tools.hostcheck --quiet --sdks

.PHONY: toolchains
toolchains: host ## put Node.js and Go into build/toolchains, where the machine has none
	@tools/setup_toolchains.sh

.PHONY: setup
setup: host binaries ## make .venv and build the programs of the data plane
	@tools/setup_python.sh

.PHONY: binaries
binaries:
	@echo "setup: egressd and cell (cargo, one profile for everything)"
	@cargo build --release --locked -p openmiosa-dataplane

.PHONY: dist
dist: setup ## make both wheels in dist/
	@$(PYTHON) tools/make_dist.py $(DIST)

.PHONY: bench
bench: setup ## measure what the issue's figures say; JSON and a table
	$(PYTHON) -m bench

.PHONY: clean
clean: ## remove what was built, but not .venv (make clean-all does)
	rm -rf $(BUILD) $(DIST)
	cargo clean --release

.PHONY: clean-all
clean-all: clean
	rm -rf .venv

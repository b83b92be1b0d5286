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
# What helpers of the SDKs' tests start the system with.
COMMAND := $(CURDIR)/.venv/bin/openmiosa
GO_MODULES := sdks/go sdks/go/ws

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# SDK=typescript or SDK=go: by that SDK; LIVE=1: the real services; DEVICE=1: GitHub by device flow.
.PHONY: walkthrough
walkthrough: ## build everything, run the seven steps and the rotation, and prove them
	@tools/walkthrough.sh

.PHONY: test
test: setup sdks dist ## run every test, and the walkthrough in each language
	cargo test --release --locked --workspace $(CARGO_QUIET)
	$(PYTEST) $(TESTS)
	$(MAKE) --no-print-directory test-typescript test-go
	for sdk in python typescript go; do SDK=$$sdk WHEELS=$(DIST) tools/walkthrough.sh || exit 1; done

.PHONY: test-typescript
test-typescript: setup sdk-typescript ## the TypeScript SDK's own tests, the last of them against the real system
	cd sdks/typescript && npm run --silent check && OPENMIOSA_COMMAND=$(COMMAND) npm test --silent

.PHONY: test-browser
test-browser: setup sdk-typescript ## the TypeScript tail in a real browser (needs Chromium: apt-get install chromium)
	cd sdks/typescript && OPENMIOSA_COMMAND=$(COMMAND) npm run --silent test:browser

.PHONY: test-go
test-go: setup sdk-go ## the Go SDK's own tests, the last of them against the real system
	for module in $(GO_MODULES); do (cd $$module && go test -race -count=1 ./...) || exit 1; done
	cd sdks/go/systemtest && OPENMIOSA_COMMAND=$(COMMAND) go test -count=1 ./...

# The published Go client cannot be had from where modules come from, so whoever has a checkout of its repository names it.
.PHONY: conformance-go
conformance-go: setup host-sdks ## the published Go client against the real system (MIOSA_GO=a checkout of its v2.0.2)
	@test -n "$(MIOSA_GO)" || { echo "name a checkout of the published Go client's repository: make conformance-go MIOSA_GO=…"; exit 2; }
	$(PYTHON) -m tests.conformance.published_go "$(MIOSA_GO)"

.PHONY: check
check: setup sdks ## formatting, lints, types and import laws
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	cd sdks/typescript && npm run --silent lint
	cd examples/typescript && npm run --silent lint
	test -z "$$(gofmt -l sdks/go examples/go | tee /dev/stderr)"
	for module in $(GO_MODULES) sdks/go/systemtest examples/go/walkthrough; do (cd $$module && go vet ./...) || exit 1; done

.PHONY: docs
docs: setup sdks ## write the generated pages of docs/ and the API's document anew
	$(PYTHON) tools/dump_openapi.py
	$(PYTHON) -m tools.docs

.PHONY: sdks
sdks: sdk-typescript sdk-go

.PHONY: sdk-typescript
sdk-typescript: host-sdks
	@tools/setup_typescript.sh

.PHONY: sdk-go
sdk-go: host-sdks
	@for module in $(GO_MODULES) sdks/go/systemtest; do (cd $$module && go mod download) || exit 1; done

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

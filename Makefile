# Everyday commands. `make help` lists them.

# One target folder for everything; CI keeps it in the user's cache folder between runs.
CARGO ?= cargo
DEMO_LISTEN ?= 127.0.0.1:8080

.DEFAULT_GOAL := help
.PHONY: help demo test check tools fmt lint bench build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## build, load the sample shop through the real receivers, serve it and print the address
	@echo "building flowgauge; the first time takes about a quarter of an hour on two cores, later a few seconds"
	@$(CARGO) build --workspace --bins
	@exec $(shell $(CARGO) metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/flowgauge demo --listen $(DEMO_LISTEN)

build: ## build everything, as the demo and the tests do
	@$(CARGO) build --workspace --bins --tests

test: tools ## pass every test: units, providers, metrics in SQL, the oracle, end to end with the real binary
	@$(CARGO) build --workspace --bins
	@$(CARGO) nextest run --workspace

tools: ## install what the tests need (cargo-nextest; on Debian: prometheus and chromium)
	@tests/install-tools.sh

fmt: ## format the code
	@$(CARGO) fmt --all

lint: ## clippy with warnings as errors (builds the dependencies a second time)
	@$(CARGO) clippy --workspace --all-targets -- -D warnings

check: ## what a change must pass: formatting, then the tests
	@$(CARGO) fmt --all --check
	@$(MAKE) --no-print-directory test

bench: ## durable ingest: requests a second and p99 at 8 and 64 connections, beside a bare group-committed append
	@$(CARGO) build --workspace --bins --examples
	@$(shell $(CARGO) metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/examples/ingest_load

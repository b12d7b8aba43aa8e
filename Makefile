# `make demo` and `make test` do all their own set-up. `make` alone lists what there is.

export CARGO_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
# A fresh rustup is not on PATH until the next login.
export PATH := $(PATH):$(HOME)/.cargo/bin

CARGO ?= cargo
BIN := $(CARGO_TARGET_DIR)/release/attendant
STAMPS := $(CARGO_TARGET_DIR)/setup

# The share of the audio suite's calls, in voices known to the ear, that must succeed.
MIN_SUCCESS ?= 0.9

# Time that `make starter` trains for, beside what it synthesises.
HOURS ?= 8

.DEFAULT_GOAL := help
# Cargo does its own work in parallel.
.NOTPARALLEL:
.PHONY: help demo test build models core store crash sim engines audio test-audio test-asterisk test-nodes test-growth test-mutated test-orders bench starter fmt fmt-check lint deny clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(STAMPS)/demo models ## ring the line with three recorded callers, and watch and hear it answer
	$(BIN) demo

test: $(STAMPS)/test fmt-check lint deny core engines audio ## everything that must hold before a change is kept

build: $(STAMPS)/demo ## the program, optimised
	$(CARGO) build --locked --release

# Both return at once when there is nothing to do.
models: build
	$(BIN) models pull
	$(BIN) train

fmt: ## lay the sources out
	$(CARGO) fmt

fmt-check:
	$(CARGO) fmt --check

# The release profile shares its C++ build with the engine tests.
lint: $(STAMPS)/test ## clippy with the project's lints: the core alone, telephones without engines, the whole
	$(CARGO) clippy --locked --no-default-features --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --features telephone --all-targets -- -D warnings
	$(CARGO) clippy --locked --release --all-targets -- -D warnings

deny: ## licences, banned crates, sources, advisories
	scripts/deny.sh

core: ## the pure core's tests, in seconds
	$(CARGO) test --locked --no-default-features

store: $(STAMPS)/test ## the store's tests alone, on SQLite and PostgreSQL
	$(CARGO) test --locked --no-default-features --features store --lib store::

crash: $(STAMPS)/test ## twenty lives of a node, five hundred things in flight, kill -9 (a sample is in `test`)
	CRASH_KILLS=20 CRASH_THINGS=500 $(CARGO) test --locked --no-default-features --features store --lib \
		store::tests::crash:: -- --nocapture --test-threads=1

sim: ## ten thousand random callers, faults and all (a sample is in `core`)
	SIM_CALLERS=10000 $(CARGO) test --locked --release --no-default-features --test it sim::

engines: models ## all tests, engines and shells included
	$(CARGO) test --locked --release

audio: models
	$(BIN) test audio --min-success $(MIN_SUCCESS)

test-audio: $(STAMPS)/test models ## the whole audio suite: the README's figures
	$(BIN) test audio

test-asterisk: $(STAMPS)/asterisk ## dialogues through Asterisk 22, which is put into a folder of its own (as root)
	scripts/asterisk.sh $(CARGO_TARGET_DIR)/asterisk
	ATTENDANT_ASTERISK=$(CARGO_TARGET_DIR)/asterisk $(CARGO) test --locked --no-default-features \
		--features telephone --test it asterisk -- --nocapture

test-growth: $(STAMPS)/test ## two thousand calls by telephone, and what they leave in memory (a sample is in `test`)
	PHONE_CALLS=2000 $(CARGO) test --locked --no-default-features --features telephone --test it \
		phone::growth -- --nocapture

test-mutated: $(STAMPS)/test ## a hundred thousand bent messages and packets to a line that listens (a sample is in `test`)
	PHONE_MUTATED=100000 $(CARGO) test --locked --no-default-features --features telephone --test it \
		phone::mutated -- --nocapture

test-nodes: $(STAMPS)/test $(STAMPS)/nodes models ## two nodes behind Kamailio, of which one is killed and one drained
	$(CARGO) test --locked --release --test it -- nodes:: killed_node:: --nocapture

test-orders: $(STAMPS)/test models ## forty whole calls by telephone over a network that loses 2 % of the packets (20 minutes)
	PHONE_ORDERS=40 $(CARGO) test --locked --release --test it an_order_is_found_by_telephone -- --nocapture

bench: $(STAMPS)/test models ## time voice activity, recognition, classification, prompts
	$(CARGO) bench --locked

starter: $(STAMPS)/starter ## train the ear anew (hours; see models/starter-en/README.md)
	python3 -m venv $(CARGO_TARGET_DIR)/starter-venv
	$(CARGO_TARGET_DIR)/starter-venv/bin/pip install --requirement models/starter-en/requirements.txt
	$(CARGO_TARGET_DIR)/starter-venv/bin/python models/starter-en/run.py --hours $(HOURS)

clean: ## remove what was built; downloaded models stay
	$(CARGO) clean

$(STAMPS)/%: scripts/setup.sh
	scripts/setup.sh $*
	@mkdir -p $(@D) && touch $@

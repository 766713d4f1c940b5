# Xiangyi 乡驿. Two commands matter: `make run` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run demo test check bench sim sim-mutants crash fuzz train folds
.PHONY: install-deps need-cargo need-lints need-node
# One after another, whatever -j says: two installations at once lock each other out.
.NOTPARALLEL:

LISTEN ?= 127.0.0.1:8080
DATA ?= data
SERVER ?= http://$(LISTEN)
BENCH_JSON ?= target/bench.json
SERVE := cargo run --release -p xiangyi-server --
# What the tests use beside Rust and Node: a private database cluster, a real browser and what
# steers it, Chinese type, a look at what the kernel is asked.
PACKAGES := postgresql chromium chromium-driver fonts-noto-cjk strace
RUST := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
# Debian packages, by root; tried twice: mirrors fail now and then.
INSTALL := apt() { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
  apt-get install -qy --no-install-recommends "$$@"; }; \
  install() { apt "$$@" || { sleep 10; apt "$$@"; }; }

help:
	@echo 'make run      build and start the server with the demo on http://$(LISTEN) (hub: /hub/)'
	@echo 'make test     check, then every test; installs Debian packages that are missing'
	@echo 'make demo     play a recorded day against the running server'
	@echo 'make bench    load figures beside the floor of the same run, JSON in $(BENCH_JSON)'
	@echo 'make sim      simulate whole worlds: SEEDS=200, or SEED=17 to play one again'
	@echo 'make sim-mutants  plant each known fault and see that a law catches it'
	@echo 'make crash    kill the real server KILLS=200 times under load; SEED=17 draws the same again'
	@echo 'make fuzz     random bytes for every reader, TIME=60 seconds each; needs the nightly toolchain'
	@echo 'make train    learn the weights of the text signals anew (minutes)'
	@echo 'make folds    what they are worth on writers they never saw, and the learning curve'
	@echo 'make check    formatting and lints'

need-cargo:
	@command -v cargo >/dev/null || { echo 'Rust is missing: see https://rustup.rs'; exit 1; }
	@here=$$(cargo --version | cut -d' ' -f2); \
	  printf '%s\n' $(RUST) "$$here" | sort -CV \
	  || { echo "Rust $(RUST) or newer is needed; here is $$here: see https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then $(INSTALL); install build-essential; \
	  else echo 'A C compiler is missing. As root: apt-get install build-essential'; exit 1; fi; }

need-lints: need-cargo
	@{ cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 \
	  || { echo 'rustfmt or clippy is missing: rustup component add rustfmt clippy'; exit 1; }

run: need-cargo
	$(SERVE) serve --demo --data $(DATA) --listen $(LISTEN)

demo: need-cargo
	$(SERVE) demo-day --server $(SERVER)

# Node reads the pack as a phone would. Any build of it will do, so no package is asked for by name
# where there is one.
need-node:
	@if ! { command -v node && command -v npm; } >/dev/null; then \
	  if [ "$$(id -u)" = 0 ]; then $(INSTALL); install nodejs npm; \
	  else echo 'Node and npm are missing. As root: apt-get install nodejs npm'; exit 1; fi; \
	fi
	@node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' \
	  || { echo "Node 18 or newer is needed; here is $$(node --version)"; exit 1; }

tests/node/node_modules: tests/node/package-lock.json | need-node
	npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

install-deps: tests/node/node_modules
	@missing=(); \
	for package in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' \
	    || missing+=($$package); \
	done; \
	[ $${#missing[@]} = 0 ] && exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
	  echo "Missing: $${missing[*]}. As root: apt-get install $${missing[*]}"; exit 1; \
	fi; \
	$(INSTALL); install "$${missing[@]}"

check: need-lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

# May run again at once: databases, folders and ports are fresh, and a killed run's are swept.
test: need-lints install-deps check
	cargo test --workspace

bench: need-cargo
	cargo build --release -p xiangyi-server
	cargo run --release -p xiangyi-tests --bin load -- all --json $(BENCH_JSON)

SEEDS ?= 100
sim: need-cargo
	cargo run --release -p xiangyi-sim -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

sim-mutants: need-cargo
	cargo run --release -p xiangyi-sim -- --mutants --seeds 300

KILLS ?= 200
# SIGKILL and named places on both engines, and the disk rebuilt as a cut may have left it.
crash: need-cargo install-deps
	KILLS=$(KILLS) CUTS=$(KILLS) $(if $(SEED),SEED=$(SEED)) \
	  cargo test -p xiangyi-tests --test crash -- --nocapture

TIME ?= 60
TARGETS ?= exchange cursor pack photo tus table
# Bytes that nobody of ours wrote; what makes a reader panic lies in fuzz/artifacts afterwards.
fuzz: need-cargo
	@cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz
	@cargo +nightly --version >/dev/null 2>&1 \
	  || { echo 'The nightly toolchain is missing: rustup toolchain install nightly'; exit 1; }
	@for target in $(TARGETS); do \
	  mkdir -p fuzz/corpus/$$target fuzz/seeds/$$target; \
	  cargo +nightly fuzz run --features server $$target fuzz/corpus/$$target fuzz/seeds/$$target \
	    $$([ $$target = photo ] && echo tests/data/photos) \
	    $$([ $$target = pack ] && echo proto/packs) \
	    -- -max_total_time=$(TIME) -max_len=65536 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1; \
	done

train: need-cargo
	cargo run --release -p xiangyi-train -- learn

folds: need-cargo
	cargo run --release -p xiangyi-train -- folds
	cargo run --release -p xiangyi-train -- curve

# What a person types. Two commands do all the set-up: `make demo` and `make test`.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET_DIR)/demo/actiongraph
# Stamps say when the web assets were last built; they stand outside the folder that is embedded.
STAMPS := $(TARGET_DIR)/make
WEB_STAMP := $(STAMPS)/web
WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)

# CI builds exactly what is committed; a person may have a dependency in the making.
LOCKED := $(if $(filter true,$(CI)),--locked)

# Passed to the server of `make demo`: make demo DEMO_ARGS='--database-url sqlite://other.db'.
DEMO_ARGS ?=
# Parts of `make test`: tidy sqlite doc node postgres. TEST_ARGS: a filter for the Rust tests.
PARTS ?=
export TEST_ARGS

# What was thrown away must be made again, whatever its stamp says.
ifeq ($(wildcard web/dist/*),)
.PHONY: $(WEB_STAMP)
endif

.PHONY: help
help: ## Show this list
	@echo 'Actiongraph: make <target>'
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'Settings: ACTIONGRAPH_LISTEN=127.0.0.1:8080  DEMO_ARGS=...  PARTS="tidy sqlite doc node postgres"  TEST_ARGS=...'

.PHONY: demo
demo: build ## Build everything and serve demo data on 127.0.0.1:8080
	@exec $(BINARY) demo $(DEMO_ARGS)

.PHONY: build
build: web ## Build the binary that the demo runs, web assets included
	cargo build --profile demo $(LOCKED) --bin actiongraph

.PHONY: web
web: $(WEB_STAMP) ## Build the web assets (only what changed)

$(WEB_STAMP): $(WEB_SOURCES)
	@scripts/npm-ci web
	cd web && npm run build --silent
	@# New names of files would not tell cargo that what embeds them must be built again.
	@touch src/http/assets.rs
	@mkdir -p $(STAMPS) && touch $@

.PHONY: test
test: ## Install what the tests need and run all of them
	@scripts/test $(PARTS)

.PHONY: soak
soak: ## Kill imports, fuzz readers and the API for long, on both databases (SOAK_KILLS=50 PROPERTY_CASES=20000)
	@scripts/soak

.PHONY: fuzz
fuzz: ## Try readers of texts with coverage as the guide (FUZZ_SECONDS=60 for each)
	@scripts/fuzz $(or $(FUZZ_SECONDS),60)

.PHONY: tidy
tidy: ## Check the house rules alone (a second)
	@scripts/test tidy

.PHONY: lint
lint: ## Check formats, lints and the text of the documentation
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(LOCKED) -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps $(LOCKED)

.PHONY: fmt
fmt: ## Format the Rust sources
	cargo fmt --all

.PHONY: schema
schema: build ## Write schema.graphql anew from the server's own schema
	@mkdir -p $(STAMPS)
	@$(BINARY) schema > $(STAMPS)/schema.graphql
	@cp $(STAMPS)/schema.graphql schema.graphql

.PHONY: bench
bench: build ## Measure the rate and the memory of imports
	@ACTIONGRAPH_BIN=$(BINARY) bench/run

.PHONY: bench-reports
bench-reports: build ## Measure reports beside the same by hand (ACTIONS=20000000)
	@ACTIONGRAPH_BIN=$(BINARY) bench/reports/run $(ACTIONS)

.PHONY: bench-formats
bench-formats: build ## Measure imports of every format beside bare inserts (ACTIONS=200000)
	@ACTIONGRAPH_BIN=$(BINARY) bench/formats/run $(ACTIONS)

.PHONY: bench-cost
bench-cost: build ## Compare what operations cost in points with the time they take
	@ACTIONGRAPH_BIN=$(BINARY) bench/cost/run

.PHONY: bench-postbacks
bench-postbacks: build ## Measure how many postbacks a server takes
	@ACTIONGRAPH_BIN=$(BINARY) bench/postbacks/run

.PHONY: clean
clean: ## Remove what make built for the web (cargo clean does the rest)
	rm -rf web/dist web/node_modules tests/node/node_modules $(STAMPS) $(TARGET_DIR)/tidy

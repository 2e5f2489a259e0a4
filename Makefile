# The one entry. Each target is one line of meaning; the work lives in tests/setup/ and the crates.
# PG=18 names a major to fetch (PG=all, PG="15 18"); PG_CONFIG=… uses a PostgreSQL of your own instead.
ifeq ($(PG),all)
override PG := 18 17 16 15
endif
TESTED = $(or $(PG),18 15)
ONE    = $(or $(firstword $(PG)),18)
# Who installs on a server of their own has its pg_config in PATH, or says which.
PG_CONFIG_INSTALL = $(or $(PG_CONFIG),$(if $(PG),$(shell tests/setup/postgres $(ONE)),pg_config))
ON_SERVER = set -e; PG_CONFIG=$$(tests/setup/postgres $(ONE)); export PG_CONFIG; tests/setup/install "$$PG_CONFIG";
export PG_CONFIG DESTDIR KEEP
ifeq ($(PG_CONFIG),)
unexport PG_CONFIG
endif

.PHONY: help demo demo-stop test test-clients lint fuzz goldens api schema pictures bench install installcheck installcheck-core package release clean-clusters
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## /\1\t/p' Makefile | awk -F'\t' '{ printf "make %-15s %s\n", $$1, $$2 }'
demo: ## see it work on a private server: tenants at once, attacks, throughput (KEEP=1 leaves the server up)
	@$(ON_SERVER) cargo run --release --locked -p pg-tenant-tests --bin demo
demo-stop: ## end the server that `make demo KEEP=1` left up
	@tests/setup/stop demo
test: ## lint, unit tests, then extension and client on real servers: PG=18, PG=all; default 18 and 15
	@tests/run $(TESTED)
test-clients: ## the pages for other languages (client/docs/clients/), with the real packages (ONLY=pip, npm, debian, a page)
	@$(ON_SERVER) cargo run --quiet --locked -p pg-tenant-tests --bin clients -- $(ONLY)
fuzz: ## a million random statements in two worlds that a tenant must not tell apart, and a hundred killed workers (SEED=… repeats)
	@$(ON_SERVER) export SEED=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} STATEMENTS=$${STATEMENTS:-1000000}; \
	cargo test --locked -p pg-tenant-tests --test noninterference tells_them_apart -- --nocapture; \
	KILLS=$${KILLS:-100} cargo test --locked -p pg-tenant-tests --test onboarding anywhere -- --nocapture; \
	KILLS=$${KILLS:-100} cargo test --locked -p pg-tenant-tests --test jobs anywhere -- --nocapture; \
	KILLS=$${KILLS:-100} cargo test --locked -p pg-tenant-tests --test extension in_a_storm -- --nocapture; \
	BILLING_KILLS=$${KILLS:-100} cargo test --locked -p pg-tenant-tests --test extension of_a_year -- --nocapture
lint: ## fmt, clippy, documentation, unsafe only where it belongs, cargo-deny, the generated schema is current
	@tests/lint
goldens: ## write the SQL goldens, the isolation matrix and the catalogue anew; what is reviewed is the diff
	@$(ON_SERVER) GOLDENS=write cargo test --locked -p pg-tenant-tests --test goldens --test isolation_matrix --test catalogue; \
	GOLDENS=write cargo test --locked -p pg-tenant-tests --test pgbouncer left_out
api: ## write anew the list of the client's public API and what the compiler says of misuses; what is reviewed is the diff
	@PUBLIC_API=write TRYBUILD=overwrite cargo test --locked -p pg-tenant-client --all-features --test public_api --test ui
schema: ## generate sql/install/ from sql/schema/
	@tests/setup/schema
pictures: ## run the demo and draw what it prints, and the benches' figures, for README.md
	@$(ON_SERVER) tests/setup/pictures && cargo bench --quiet --locked -p pg-tenant-benches -- draw
bench: ## what isolation costs, as ratios to peers in one run, written to benches/results/ (ONLY=client: one suite)
	@$(ON_SERVER) cargo bench --locked -p pg-tenant-benches -- $(ONLY)
install: ## build for PG_CONFIG (default: pg_config in PATH) and copy the library and its SQL there; DESTDIR is honoured
	@tests/setup/install "$(PG_CONFIG_INSTALL)"
installcheck: ## the SQL goldens against a running server (PGHOST, PGPORT, PGUSER: a superuser) with pg_tenant preloaded
	@PG_CONFIG="$(PG_CONFIG_INSTALL)" GOLDENS=installcheck cargo test --locked -p pg-tenant-tests --test goldens
installcheck-core: ## PostgreSQL's own suites, from a source tree SRC of the same minor, with the library and without
	@set -e; PG_CONFIG=$$(tests/setup/postgres $(ONE)); tests/setup/install "$$PG_CONFIG"; tests/setup/core_suites "$(SRC)" "$$PG_CONFIG"
package: ## what a release hands out: .deb and tarball per major (PG=all), crates, PGXN's zip, in target/packages/
	@packaging/all $(TESTED)
release: ## check that everything a release must change has been changed (VERSION=0.2.0); publishes nothing
	@packaging/release $(or $(VERSION),$(shell sed -n "s/^default_version = '\(.*\)'/\1/p" pg_tenant/pg_tenant.control))
clean-clusters: ## stop and delete every server that tests and demo left
	@tests/setup/stop

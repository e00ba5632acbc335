# Every target does the set-up that it needs. The work is done by the scripts in localstack/bin.
.DEFAULT_GOAL := help
.PHONY: help setup build demo up down clean distclean test lint sqlx bench soak

# Ordinary builds read what the database says of each query from .sqlx; see `make sqlx`.
export SQLX_OFFLINE ?= true
bin := localstack/bin

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing for the demo and the tests
	@$(bin)/setup demo test lint

build: ## build every program
	@$(bin)/setup demo
	cargo build --workspace --bins

demo: ## two packages from source to dnf, in about a minute once it is built
	@$(bin)/demo

up: ## start the local system in the background (BUILDERS=1 STACK=embedded|localstack)
	@$(bin)/setup demo $(if $(filter localstack,$(STACK)),localstack)
	@cargo build --quiet -p toji-local -p toji-builder -p toji
	@$(bin)/minidistro
	@$(bin)/up

down: ## stop it; the data stays
	@$(bin)/down

clean: ## stop it and delete its data
	@$(bin)/clean

distclean: ## … and caches, virtual environments and everything built
	@$(bin)/clean --all
	rm -rf target

test: ## run every test (ARGS go to cargo nextest)
	@$(bin)/test $(ARGS)

lint: ## formatting, clippy, docs, shellcheck, .sqlx, licences
	@$(bin)/lint

sqlx: ## write .sqlx anew, after a query or a migration has changed
	@$(bin)/setup demo
	@$(bin)/sqlx-prepare
	@$(bin)/postgres stop test

bench: ## measure dispatch, repos and the API; figures also in localstack/.run/bench.json
	@$(bin)/bench $(ARGS)

soak: ## the long forms of the tests: many more cases, and crashes again and again (ARGS go to cargo nextest)
	@$(bin)/soak $(ARGS)

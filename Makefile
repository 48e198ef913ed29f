# Everything a developer or CI runs, one target each. Every target installs what it needs (scripts/setup.sh).

SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help ui demo test fmt lint bench fuzz gen screenshots setup

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

ui: ## build the web interface, which the next build of rportd embeds
	@scripts/setup.sh ui
	@scripts/ui.sh build

demo: ## build, run server, agent and a tunnel; stays up until Ctrl-C (ONCE=1: check and exit)
	@scripts/setup.sh build ui demo
	@ONCE=$(ONCE) scripts/demo.sh

test: ## everything that must pass: format, lints, licences, tests, docs
	@scripts/setup.sh build ui test
	@scripts/test.sh

bench: ## measure tunnels and many agents against plain loopback; prints Markdown
	@scripts/setup.sh build bench
	@scripts/bench.sh

fuzz: ## short fuzz runs of every parser of foreign bytes (SECONDS_EACH=30)
	@scripts/setup.sh build fuzz
	@scripts/fuzz.sh

fmt: ## format all code
	@cargo fmt --all

lint: ## clippy as CI runs it
	@cargo clippy --workspace --all-targets -- -D warnings

gen: ## rewrite generated files (the OpenAPI document, snapshots)
	@scripts/gen.sh

screenshots: ## pictures of every screen of the web interface, into ui/screenshots
	@scripts/setup.sh build ui test
	@scripts/ui.sh screenshots

setup: ## install the system packages that the other targets use
	@scripts/setup.sh build ui test demo bench fuzz

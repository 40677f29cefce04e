# Slipway's commands. The first use of any of them makes the environment in .venv, or with ANSIBLE=2.16 that of
# ansible-core 2.16 in .venv-2.16, the last version that can manage Enterprise Linux 8. What tests has one of its own, in
# .venv-test; `make` looks for a fitting Python by itself.
#   make site            provision the inventory (the embedded lab by default)
#   make test            lint, unit tests, every molecule scenario
#   make help            the rest

SHELL := /bin/bash
INVENTORY ?= inventories/lab
SCENARIO ?=
ARGS ?=
PYTHON ?=
ANSIBLE ?=
# One node of each package manager, or with LAB=full all four, with Docker 29.
LAB ?=
LAB_NODES := $(if $(LAB),$(if $(filter full,$(LAB)),--docker-29,$(error LAB is $(LAB): leave it out, or set it to full)),debian13 rocky9)
VARIANT := $(if $(ANSIBLE),-$(ANSIBLE))
$(if $(wildcard requirements$(VARIANT).txt),,$(error ANSIBLE is $(ANSIBLE): leave it out, or set it to 2.16 or 2.21))
VENV := .venv$(VARIANT)
VENV_TEST := .venv-test$(VARIANT)
venv-test test lint unit test-vm docs bench: VENV := $(VENV_TEST)
OUTSIDE := $(PATH)
export PATH = $(CURDIR)/$(VENV)/bin:$(OUTSIDE)
# Before those in ansible.cfg, which are of .venv.
export ANSIBLE_COLLECTIONS_PATH = $(CURDIR)/collections:$(CURDIR)/$(VENV)/collections
# The C locale of a bare machine has no UTF-8, which Ansible wants.
export LC_ALL := C.UTF-8

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/' | expand -t 14
	@echo
	@echo "INVENTORY=PATH the inventory (default inventories/lab)   ARGS='...'  more options for ansible-playbook"
	@echo "LAB=full       a lab of all four platforms with Docker 29, and not of debian13 and rocky9 alone"
	@echo "ANSIBLE=2.16   use ansible-core 2.16, for nodes of Enterprise Linux 8   PYTHON=python3.12  the environment's Python"

ENVIRONMENT = PATH="$(OUTSIDE)" python3 environment.py --ansible "$(ANSIBLE)" --python "$(PYTHON)"

$(VENV)/.ready: requirements$(VARIANT).txt
$(VENV_TEST)/.ready: requirements$(VARIANT).txt requirements-test.txt $(if $(VARIANT),,requirements-lint.txt)
$(VENV)/.ready $(VENV_TEST)/.ready: environment.py
	@PATH="$(OUTSIDE)" command -v python3 > /dev/null || { echo "there is no python3; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(ENVIRONMENT) $(@D) $(filter requirements%,$^)

.PHONY: venv venv-test
venv: $(VENV)/.ready ## Make the environment
venv-test: $(VENV_TEST)/.ready ## Make the environment of the tests

# The embedded lab is brought up for its own inventory only.
.PHONY: lab-if-wanted
lab-if-wanted: venv
	@if [ "$(INVENTORY)" = inventories/lab ]; then python3 -m lab up $(LAB_NODES); fi

.PHONY: lab-if-up
lab-if-up: venv
	@[ "$(INVENTORY)" != inventories/lab ] || [ -e "$${XDG_CACHE_HOME:-$$HOME/.cache}/slipway-lab/site/ssh_config" ] || \
	{ echo "INVENTORY is not given, and the lab is not up. Name your inventory, as in make $(MAKECMDGOALS) INVENTORY=mysite/hosts.yml, or run make lab-up."; exit 1; }

.PHONY: site plan verify remove
site: lab-if-wanted ## Provision every node, and prove what changed by using it
	ansible-playbook --inventory $(INVENTORY) site.yml $(ARGS)

plan: lab-if-up ## Show what `make site` would change, and change nothing
	ansible-playbook --inventory $(INVENTORY) playbooks/plan.yml $(ARGS)

verify: lab-if-up ## Prove on every node that what it takes works
	ansible-playbook --inventory $(INVENTORY) playbooks/verify.yml $(ARGS)

remove: lab-if-up ## Remove what was installed (ARGS='-e slipway_confirm=remove')
	ansible-playbook --inventory $(INVENTORY) playbooks/remove.yml $(ARGS)

.PHONY: lab-up lab-down lab-status lab-shell
lab-up: venv ## Start the lab: two nodes, or all four with LAB=full, and a stand-in for the internet
	python3 -m lab up $(LAB_NODES)

lab-down: venv ## Remove the lab's containers
	python3 -m lab down

lab-status: venv ## List the lab's containers
	python3 -m lab status

lab-shell: venv ## Log in to a node: make lab-shell NODE=debian13
	python3 -m lab shell $(NODE)

.PHONY: test lint unit test-vm docs bench
test: venv-test ## Run lint, unit tests and scenarios (SCENARIO=docker_ce for one scenario)
	@$(MAKE) --no-print-directory ANSIBLE=2.16 venv-test
	@if $(ENVIRONMENT) --ansible 2.21 --python "" > /dev/null; then $(MAKE) --no-print-directory ANSIBLE=2.21 PYTHON= venv-test; \
	else echo "==> nothing is tried under ansible-core 2.21, which needs Python 3.12"; fi
	python3 tests/run.py $(SCENARIO)

lint: venv-test ## Run the linters
	python3 tests/run.py lint

unit: venv-test ## Run the unit tests
	pytest tests/unit

test-vm: venv-test ## Prove on a virtual machine what containers cannot show (by hand, about half an hour)
	python3 -m tests.vm

docs: venv-test ## Write the reference tables from the argument specifications, and draw the plan of README.md
	python3 docs/write_reference.py

bench: venv-test ## Time Slipway against the plain shell commands on the lab (ARGS='--role geerlingguy.docker ...')
	python3 benchmarks/bench.py $(ARGS)

# `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
VENV := .venv
VENV_TEMPEST := .venv-tempest
UV_VERSION := 0.13.8
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Where ansible-lint and molecule look, which do not read ansible.cfg in time; this is the only place.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(VENV)/collections
BEGAN := $(shell date +%s)
LINK := $(VENV)/collections/ansible_collections/cairn/openstack

##@ A cloud on the control node

.PHONY: cloud
cloud: $(VENV)/.ready ## Five test hosts, a cloud on them and a server that responds to ssh
	@CAIRN_BEGAN=$(BEGAN) tools/cloud inventories/lab

.PHONY: cloud-aio
cloud-aio: $(VENV)/.ready ## The same on one test host
	@CAIRN_BEGAN=$(BEGAN) tools/cloud inventories/lab_aio

.PHONY: lab-down
lab-down: $(VENV)/.ready ## Remove every test host, with networks, mounts and processes
	ansible-playbook -i inventories/lab playbooks/lab_down.yml -e lab_all=true

##@ Tests

.PHONY: test
test: $(VENV)/.ready-test ## Those that CI runs
	$(MAKE) --jobs=3 --output-sync=target lint unit sanity
	$(MAKE) test-aio
	$(MAKE) test-ha

.PHONY: lint
lint: $(VENV)/.ready-test ## ruff, yamllint, ansible-lint (profile production)
	ruff check .
	yamllint --strict .
	ansible-lint --strict

.PHONY: unit
unit: $(VENV)/.ready-test ## Modules, filters, and the contracts over the catalog
	pytest tests/unit

.PHONY: sanity
sanity: $(VENV)/.ready-test ## ansible-test sanity on the built artefact, nothing ignored
	tools/sanity

.PHONY: test-aio
test-aio: $(VENV)/.ready-test ## molecule: an all-in-one, from bare host to verified cloud
	molecule test --scenario-name aio

.PHONY: test-ha
test-ha: $(VENV)/.ready-test ## molecule: three controllers, from bare to verified cloud, that lose their power one by one and all at once
	molecule test --scenario-name ha

.PHONY: test-multinode
test-multinode: $(VENV)/.ready-test ## molecule: four hosts, from bare to verified cloud, one that joins, reboots
	molecule test --scenario-name multinode

.PHONY: test-repair
test-repair: $(VENV)/.ready-test ## molecule: repairs of everything the tests break, interrupted runs; writes docs/evidence/repair.md
	molecule test --scenario-name repair
	molecule test --scenario-name fault_injection

.PHONY: test-storage
test-storage: $(VENV)/.ready-test ## molecule: LVM, iSCSI, NFS, Ceph, Swift, OVS in a kernel; loss of a storage host; writes docs/evidence
	molecule test --scenario-name lvm_nfs
	molecule test --scenario-name ovs_kernel
	molecule test --scenario-name ceph_swift_failures

.PHONY: test-services
test-services: $(VENV)/.ready-test ## molecule: an all-in-one with Ceph and every optional service
	molecule test --scenario-name services

.PHONY: test-services-ha
test-services-ha: $(VENV)/.ready-test ## molecule: three controllers with optional services, one of which loses its power while they are used
	molecule test --scenario-name services_ha

.PHONY: test-lifecycle
test-lifecycle: $(VENV)/.ready-test ## molecule: killed runs, a service by one definition, the end of a cloud, hosts added and removed, one NIC
	molecule test --scenario-name interrupted
	molecule test --scenario-name scale_out
	molecule test --scenario-name single_nic
	molecule test --scenario-name grow

.PHONY: test-reports
test-reports: $(VENV)/.ready-test ## Reports from the field, on the cloud of `make cloud`, deployed if missing; writes docs/evidence/reports.md
	ansible-playbook -i inventories/lab playbooks/lab_up.yml
	ansible-playbook -i inventories/lab playbooks/site.yml
	pytest tests/reports --inventory inventories/lab --page docs/evidence/reports.md

.PHONY: test-tempest
test-tempest: $(VENV)/.ready $(VENV_TEMPEST)/.ready ## Tempest on the cloud of `make cloud`, deployed if none answers; writes docs/evidence/tempest.md: TESTS=smoke for some
	ansible-playbook playbooks/guest_image.yml
	$(VENV_TEMPEST)/bin/python tests/tempest/main.py --deploy --tests '$(or $(TESTS),all)' inventories/lab

.PHONY: tempest-services
tempest-services: $(VENV)/.ready ## Tempest's tests of the optional services, on the host of molecule's `services` or ON=inventory; writes docs/evidence
	ansible-playbook -i '$(or $(ON),molecule/services/inventory)' tests/tempest/services.yml -e services='$(SERVICES)'

.PHONY: bench
bench: $(VENV)/.ready-test ## Measure on hosts of its own, and write docs/evidence/benchmarks.md: STEPS='rerun option' for some
	tests/bench/bench.py $(BENCH) $(STEPS)

##@ The collection

.PHONY: build
build: $(VENV)/.ready ## The artefact, in build/
	ansible-galaxy collection build --force --output-path build

.PHONY: changelog
changelog: $(VENV)/.ready-test ## CHANGELOG.md, regenerated from changelogs/fragments and the plugins' documentation
	antsibull-changelog release --version $$(awk '/^version:/ {print $$2}' galaxy.yml) --update-existing --reload-plugins

.PHONY: option-index
option-index: $(VENV)/.ready ## The indexes of options, regenerated from the packages of a host: ON='ssh root@controller1'
	tools/option-index $(ON)

.PHONY: settings
settings: $(VENV)/.ready ## docs/settings.md, regenerated from argument specs and the catalog
	tools/settings

.PHONY: venv
venv: $(VENV)/.ready-test ## The Python environment with all locked requirements

.PHONY: clean
clean: ## Remove what these targets made here: environment, artefacts, caches
	rm -rf $(VENV) $(VENV_TEMPEST) .ansible build .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# pip takes 95 s of processor time for these, uv 2 s; pip is the way out where uv can't reach its index.
$(VENV)/.ready: requirements.txt | $(LINK)
	tools/pip-sync $(VENV) $(UV_VERSION) $<
	@touch $@

$(VENV)/.ready-test: requirements-test.txt $(VENV)/.ready
	tools/pip-sync $(VENV) $(UV_VERSION) $<
	@touch $@

# Its requirements and Ansible's need not agree.
$(VENV_TEMPEST)/.ready: requirements-tempest.txt
	tools/pip-sync $(VENV_TEMPEST) $(UV_VERSION) $<
	@touch $@

# The checkout stands in for the installed collection.
$(LINK):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@

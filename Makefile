# rocestack: what one can do here. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The set-up's own program; it needs Python 3.11 and nothing else.
ENGINE = python=$$(sh engine/find_python.sh) && exec "$$python" -m engine
PYTEST = .venv/bin/python -m pytest
# A word for the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'

.PHONY: help setup test-tools vm-tools vm-setup bundle lab vmlab preview drift report logs train destroy \
    test test-unit test-full test-vm test-vm-full clean about

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'In a shell: . ./activate, then plain pulumi up, preview, destroy, … on the lab.'

setup:  ## set up what is missing or has changed (seconds when nothing is)
	@$(ENGINE) setup $(if $(BUNDLE),--bundle $(call quoted,$(BUNDLE)))

test-tools: setup
	@$(ENGINE) test-tools

vm-tools: setup
	@$(ENGINE) vm-tools

vm-setup: vm-tools  ## make what virtual machines need (image, boot disc); seconds when nothing is missing
	@. ./activate vmlab && python -m lab vm setup

bundle: setup  ## pack it all into one file, for a machine without registries: make setup BUNDLE=FILE
	@$(ENGINE) bundle $(if $(BUNDLE_IMAGES),--images $(call quoted,$(BUNDLE_IMAGES)))

lab: setup  ## set up, then bring up the virtual cluster and train on it
	@. ./activate lab && pulumi up --stack lab --yes --skip-preview
	@. ./activate lab && python -m lab summary

vmlab: vm-setup  ## the same on virtual machines, with soft-RoCE: real kernels, reboots and RDMA
	@. ./activate vmlab && pulumi up --stack vmlab --yes --skip-preview
	@. ./activate vmlab && python -m lab summary vmlab

preview: setup  ## show what differs between the settings and the lab (STACK=)
	@. ./activate $(call quoted,$(or $(STACK),lab)) && pulumi preview --stack $(call quoted,$(or $(STACK),lab)) --diff

drift: setup  ## preview for machines: fails unless all is known to be in sync (STACK=, JSON=, TEXTFILE=)
	@. ./activate $(call quoted,$(or $(STACK),lab)) && python -m facts.preview $(call quoted,$(or $(STACK),lab)) \
	    $(if $(JSON),--json $(call quoted,$(JSON))) $(if $(TEXTFILE),--textfile $(call quoted,$(TEXTFILE)))

report: setup  ## write the last training's report, one page for any browser (STACK=, OUTPUT=)
	@. ./activate $(call quoted,$(or $(STACK),lab)) && python -m training.report $(call quoted,$(or $(STACK),lab)) \
	    $(if $(OUTPUT),--output $(call quoted,$(OUTPUT)))

logs: setup  ## show all shards' output, each line after its shard's name (STACK=, FOLLOW=1)
	@. ./activate $(call quoted,$(or $(STACK),lab)) && python -m training.logs $(call quoted,$(or $(STACK),lab)) \
	    $(if $(FOLLOW),--follow)

train: setup  ## start another run and touch nothing else (RUN=NAME, STACK=)
	@. ./activate $(call quoted,$(or $(STACK),lab)) && \
	    python -m training.start $(call quoted,$(or $(STACK),lab)) $(call quoted,$(RUN))

destroy: setup  ## take down the lab; set-up and caches stay (STACK=)
	@. ./activate $(call quoted,$(or $(STACK),lab)) && \
	    python -m engine.destroy $(call quoted,$(or $(STACK),lab)) --yes --skip-preview

test: test-tools  ## set up, then run all checks and tests, the lab included
	@. ./activate lab && $(PYTEST) tests/checks tests/unit tests/components tests/shell
	@. ./activate lab && $(PYTEST) tests/conformance -m smoke
	@. ./activate lab && $(PYTEST) tests/switch -m smoke
	@. ./activate lab && $(PYTEST) tests/nodes -m smoke
	@. ./activate lab && $(PYTEST) tests/metal -m smoke
	@. ./activate lab && $(PYTEST) -x tests/lab -m 'not full'

test-unit: test-tools  ## run the checks and tests that need no Docker engine
	@. ./activate lab && $(PYTEST) tests/checks tests/unit tests/components tests/shell

test-full: test  ## run all checks and each table of tests in full
	@. ./activate lab && $(PYTEST) tests/plugins
	@. ./activate lab && $(PYTEST) tests/conformance -m 'not smoke'
	@. ./activate lab && $(PYTEST) tests/switch -m 'not smoke'
	@. ./activate lab && $(PYTEST) tests/nodes -m 'not smoke'
	@. ./activate lab && $(PYTEST) tests/metal -m 'not smoke'
	@. ./activate lab && $(PYTEST) tests/lab -m full

test-vm: test-tools vm-setup  ## run the story of the virtual machines; make test leaves them out
	@. ./activate vmlab && $(PYTEST) -x tests/vm -m 'vm and not full'

test-vm-full: test-tools vm-setup  ## the same with all tables and failures
	@. ./activate vmlab && $(PYTEST) -x tests/vm -m vm

about:  ## say what was chosen: CLI, plugins, Docker engine, state
	@$(ENGINE) about

clean:  ## destroy the lab, then remove all that set-up made
	@$(ENGINE) clean

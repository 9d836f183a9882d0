# `make demo` and `make test` do all their set-up: a virtual environment in this folder, and data.
# The second time they find it done.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
export NENGO_PHASOR_DATA ?= .data
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help data demo test screenshots notebooks docs lint format results benchmarks install-tests backend-tests clean

help:
	@echo "make demo           train on FashionMNIST, turn to spikes, sparsify; opens nothing, prints where"
	@echo "make test           lint and all tests, in WORKERS processes at a time (2)"
	@echo "make screenshots    make the pictures of Nengo GUI in docs/figures/gui again"
	@echo "make notebooks      execute notebooks/*.ipynb again, in place"
	@echo "make docs           build the documentation: docs/_build/html/index.html"
	@echo "make results        make results/*.json of the papers' systems again (hours); MNIST and"
	@echo "                    CIFAR-10 are wanted in the folder NENGO_PHASOR_DATA"
	@echo "make benchmarks     make results/benchmark_*.json again"
	@echo "make install-tests  install a wheel into new environments: each Python, each extra, pip and"
	@echo "                    uv (an hour; goes on where it was stopped), then run a system in two"
	@echo "make backend-tests  run NengoDL's and nengo-loihi's own tests on our compat layer, and"
	@echo "                    Nengo's on our neurons"
	@echo "make clean          remove the virtual environment and all that was made"

# The second folder builds NengoDL, whose source package doesn't build on Python 3.12 and later.
$(VENV)/installed: setup.cfg pyproject.toml
	@echo "== Installing into $(VENV) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[all,test,docs]" ./nengo_phasor/data/nengo-dl
	@touch $@

data: $(VENV)/installed
	@echo "== Looking for FashionMNIST"
	$(BIN)/python tools/fetch_fashion_mnist.py $(NENGO_PHASOR_DATA)

demo: data
	$(BIN)/python networks/local_rhythms.py demo --resume --images 2000 --output runs/demo

test: $(VENV)/installed lint
	@echo "== Tests"
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

screenshots: $(VENV)/installed
	SCREENSHOTS=docs/figures/gui SCREENSHOT_AT=0.65 $(BIN)/python -m pytest tests/gui -k test_model_runs_here

notebooks: $(VENV)/installed
	$(BIN)/python tools/run_notebooks.py

# Links to other sites are not checked: that takes the internet (sphinx-build -b linkcheck does it).
docs: $(VENV)/installed
	$(BIN)/python -W ignore -m sphinx -W --keep-going -n -q docs docs/_build/html
	@echo "Look at docs/_build/html/index.html"

lint: $(VENV)/installed
	@echo "== Format and lint"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports pyproject.toml --no-logo --no-cache

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

results: data
	$(BIN)/python networks/local_rhythms.py results --resume --output results/local_rhythms.json
	$(BIN)/python networks/adaptive_neuron.py results
	$(BIN)/python networks/adaptive_iris.py results
	$(BIN)/python networks/adaptive_sonar.py results
	$(BIN)/python networks/adaptive_digits.py results --set mnist --model small --model paper --resume
	$(BIN)/python networks/adaptive_digits.py results --set fashion --resume
	$(BIN)/python networks/adaptive_cifar.py results --resume
	$(BIN)/python networks/adaptive_resnet.py results
	$(BIN)/python networks/sparse_lenet.py results --resume
	$(BIN)/python networks/sparse_deep.py results --resume
	$(BIN)/python networks/phase_sparsity.py results --resume
	$(BIN)/python networks/organic_rhythm.py results --resume
	$(BIN)/python networks/deep_rhythms.py results --resume
	$(BIN)/python networks/heart_beats.py results --resume
	$(BIN)/python networks/factorized_if.py results --resume
	$(BIN)/python networks/on_chip.py results --resume

benchmarks: data
	$(BIN)/python benchmarks/neuron_step.py
	$(BIN)/python benchmarks/build.py
	$(BIN)/python benchmarks/spiking_inference.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/surrogate_training.py
	$(BIN)/python benchmarks/training_engine.py
	$(BIN)/python benchmarks/adaptive_inference.py
	$(BIN)/python benchmarks/deep_rhythms.py
	$(BIN)/python benchmarks/agreement.py
	$(BIN)/python benchmarks/emulator.py
	$(BIN)/python benchmarks/start.py

install-tests: $(VENV)/installed
	$(BIN)/python tools/install_matrix.py --output results/install.json
	$(BIN)/python -m pytest -m install tests/models/test_wheel.py

backend-tests: $(VENV)/installed
	$(BIN)/python tools/backend_tests.py
	$(BIN)/python tools/nengo_tests.py

clean:
	rm -rf $(VENV) .data runs build docs/_build docs/generated *.egg-info

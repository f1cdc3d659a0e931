# make demo         set up what is missing, then open the app on http://127.0.0.1:7860
# make test         set up what is missing (Chromium included), then run every test
# make lint         check style and types
# make docs         write the documentation's site to site/; a link that leads nowhere fails
# make coverage     measure how much of core the tests of core run; fails below 90 %
# make train-smoke  a two-minute training run, to see that training works here
# make reproduce    train the later stages again at a tenth of their length: make reproduce DATA=folder/of/fairface
#
# The first call installs about 2 GB into .venv (a few minutes); later calls start at once.
# Another interpreter: make demo PYTHON=/path/to/python3.11

VENV := .venv
BIN := $(VENV)/bin
SETUP := bash scripts/setup.sh

.PHONY: demo test lint docs coverage train-smoke reproduce
.DELETE_ON_ERROR:

demo: $(VENV)/.runtime
	@$(SETUP) system packages.txt
	$(BIN)/python app.py

test: $(VENV)/.dev
	@$(SETUP) system packages.txt packages-dev.txt
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/basedpyright

docs: $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements-docs.txt
	DISABLE_MKDOCS_2_WARNING=true NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build --strict --quiet

coverage: $(VENV)/.dev
	$(BIN)/python -m pytest tests/core --cov core --cov-fail-under 90 --cov-report term:skip-covered

train-smoke: $(VENV)/.train
	@$(SETUP) system packages.txt
	$(BIN)/python -m training.prepare assets/examples --out packs/smoke
	$(BIN)/python -m training.render_pack --count 2000 --workers 2 --out packs/rig-smoke
	$(BIN)/python -m training.train_autoencoder --config training/configs/smoke.yaml

reproduce: $(VENV)/.train
	@$(SETUP) system packages.txt
	$(BIN)/python -m training.reproduce --photos $(DATA)

$(BIN)/python:
	@$(SETUP) venv $(VENV) $(PYTHON)

# Stamp files: pip runs again only after its list of requirements has changed.
$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

$(VENV)/.train: requirements-train.txt $(VENV)/.runtime
	$(BIN)/python -m pip install -r requirements-train.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.train
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@

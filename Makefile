# make demo RECORDING=… CALIBRATION=… [MODEL=…]   make test   make check   make bench [MODEL=…]   make slow   make docs   make hooks   make venv
# make gui SLICER_SOURCE=…   make cycles SLICER_SOURCE=…   make oldest   (Resources/Docs/testing.md)
# make journey   make model [TRAIN=…]   make table [MINUTES=…]   make living SWEEP=… CALIBRATION=…   (long: see
# Resources/Docs/measured.md)
# Needs Python 3.10 or newer (with venv) and make; everything else goes into .venv. Without make: see README.md.

PYTHON ?= python3
VENV = .venv/bin/python
USGANSIM = $(VENV) -m USGanSimLib

# Many small networks: threads of torch would only wait for each other.
test check slow gui cycles oldest: export OMP_NUM_THREADS = 1

.PHONY: demo journey test check docs hooks bench slow gui cycles oldest venv model table living clean

venv: .venv/ready

.venv/ready: pyproject.toml constraints.txt setup_venv.py
	$(PYTHON) setup_venv.py

demo: .venv/ready
	$(USGANSIM) demo $(if $(RECORDING),--recording "$(RECORDING)") \
	    $(if $(CALIBRATION),--calibration "$(CALIBRATION)") $(if $(MODEL),--model "$(MODEL)")

journey: .venv/ready
	$(USGANSIM) demo --train

test: .venv/ready
	$(VENV) -m pytest

check: .venv/ready
	$(VENV) -m ruff format --check .
	$(VENV) -m ruff check .
	$(VENV) -m mypy
	$(VENV) -m pytest

# The pages of Resources/Docs and an API reference as a site, in build/docs; and the picture of the rooms anew.
docs: .venv/ready
	$(VENV) -m pip install --quiet --no-build-isolation -c constraints.txt -e .[docs]
	$(VENV) -m mkdocs build --strict

# Every commit held to format and lint.
hooks: .venv/ready
	$(VENV) -m pip install --quiet -e .[hooks]
	$(VENV) -m pre_commit install

slow: .venv/ready
	$(VENV) -m pytest -m slow

# The panels in a stand-in for desktop Slicer, which needs a checkout of Slicer's public source:
# git clone --depth 1 --branch v5.12.3 https://github.com/Slicer/Slicer, and v5.10.0 beside it.
SLICER_SOURCE ?=
GUI = SLICER_SOURCE="$(SLICER_SOURCE)" QT_QPA_PLATFORM=offscreen .venv-gui/bin/python

gui: .venv-gui/ready
	USGANSIM_GUI_TESTS=1 $(GUI) -m pytest Testing/Python/gui
	for module in USGanSim USGanTraining; do for window in "" --no-main-window; do \
	    $(GUI) Testing/Harness/run.py --module $$module/$$module.py --run-tests --fill $$window || exit; done; done

CYCLES ?= 1000

cycles: .venv-gui/ready
	$(GUI) Testing/Harness/cycles.py --cycles $(CYCLES)
	$(GUI) Testing/Harness/entries.py --cycles $(CYCLES)

.venv-gui/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-gui
	.venv-gui/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	.venv-gui/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
	    -c constraints.txt -e .[slicer,gui,test]
	touch $@

# What needs no torch, with the NumPy, SciPy and Pillow of Slicer 5.10, for which Python 3.10 to 3.12 is needed.
OLDEST = numpy==2.0.2 scipy==1.13.1 pillow==11.2.1
OLDEST_ROOMS = geometry model recording calibration phantom link mrml top

oldest: .venv-oldest/ready
	for room in $(OLDEST_ROOMS); do \
	    .venv-oldest/bin/python -m pytest Testing/Python/$$room || exit; done

.venv-oldest/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-oldest
	grep -vE '^(numpy|scipy|pillow)==' constraints.txt > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
	    -c .venv-oldest/constraints.txt $(OLDEST) -e .[slicer,hdf5,test]
	touch $@

bench: .venv/ready
	$(USGANSIM) bench $(if $(MODEL),"$(MODEL)")

# The model that is shipped, made again from seeds in $(RUNS). With a GPU, the paper's GAN:
# make model TRAIN="--recipe paper --iterations 20000"
RUNS ?= runs
SEEDS ?= 1 2 3 4 5 6 7 8
TRAIN ?= --recipe beams --threads 1 --iterations 3226 --ema-decay 0.998

model: .venv/ready
	for seed in $(SEEDS); do $(USGANSIM) phantom --session --frames 2000 --seed $$seed --out $(RUNS)/session_$$seed || exit; done
	$(USGANSIM) prepare $(RUNS)/session_*/*.igs.mha --calibration $(RUNS)/session_1/session_1.calibration.json \
	    --holdout 0.1 --exclusion-mm 2 --out $(RUNS)/dataset
	$(USGANSIM) train $(RUNS)/dataset --out $(RUNS)/model --seed 1 $(TRAIN)
	@echo "To ship it: copy $(RUNS)/model/model.safetensors to USGanSim/Resources/Models/virtual_phantom.safetensors."

# Every baseline, and every recipe after MINUTES of training each (all but `beams` at reduced width), on an easy and a
# hard scan; in $(RUNS)/table. What is there already is kept. Full width: NARROW=
MINUTES ?= 10
SETTINGS ?= plain hard
RECIPES ?= regression paper-l2 paper beams
NARROW ?= --batch 8 --generator-channels 256 --discriminator-channels 8
OBSERVER = USGanSim/Resources/Models/landmark_observer.safetensors

table: .venv/ready
	for setting in $(SETTINGS); do here=$(RUNS)/table/$$setting; \
	    mkdir -p $$here; \
	    test -f $$here/scan.igs.mha || $(USGANSIM) phantom --setting $$setting --set rate_share=0.3 --frames 1500 \
	        --repeats 2 --seed 9 --out $$here/scan.igs.mha || exit; \
	    test -d $$here/dataset || $(USGANSIM) prepare $$here/scan.igs.mha --exclusion-mm 2 \
	        --calibration $$here/scan.calibration.json --out $$here/dataset || exit; \
	    for recipe in $(RECIPES); do test -f $$here/$$recipe/model.safetensors || $(USGANSIM) train $$here/dataset \
	        --out $$here/$$recipe --recipe $$recipe --minutes $(MINUTES) --ema-decay 0.99 \
	        $$(test $$recipe = beams || echo $(NARROW)) || exit; done; \
	    $(USGANSIM) evaluate $(foreach recipe,$(RECIPES),$$here/$(recipe)/model.safetensors) $(MODEL) --dataset $$here/dataset \
	        --observer $(OBSERVER) --landmarks $$here/scan.landmarks.json --classifier --curve '' --tri-planes 4 \
	        --out $$here/report || exit; \
	done

# A living liver as an open benchmark: make living SWEEP=liver_sweep.igs.mha CALIBRATION=liver_sweep.calibration.xml
# Two blocks of twelve of its 116 frames are held out; the report is in $(RUNS)/living/report.
living: .venv/ready
	test -d $(RUNS)/living/dataset || $(USGANSIM) prepare "$(SWEEP)" --calibration "$(CALIBRATION)" --blocks 2 \
	    --holdout 0.207 --out $(RUNS)/living/dataset
	test -f $(RUNS)/living/run/model.safetensors || $(USGANSIM) train $(RUNS)/living/dataset --out $(RUNS)/living/run \
	    --recipe beams --minutes $(MINUTES) --ema-decay 0.98
	$(USGANSIM) evaluate $(RUNS)/living/run/model.safetensors --dataset $(RUNS)/living/dataset --classifier --curve '' \
	    --tri-planes 2 --out $(RUNS)/living/report

clean:
	rm -rf .venv .venv-gui .venv-oldest build .mypy_cache .ruff_cache .pytest_cache

# make demo RECORDING=… CALIBRATION=… [MODEL=…]   make test   make check   make bench MODEL=…   make slow   make venv
# Needs Python 3.10 or newer (with venv) and make; everything else goes into .venv. Without make: see README.md.

PYTHON ?= python3
VENV = .venv/bin/python
export OMP_NUM_THREADS ?= 1

.PHONY: demo test check bench slow venv clean

venv: .venv/ready

.venv/ready: pyproject.toml constraints.txt setup_venv.py
	$(PYTHON) setup_venv.py

demo: .venv/ready
ifndef RECORDING
	@echo "make demo: name a tracked recording and its calibration:" \
	    "make demo RECORDING=FILE.igs.mha CALIBRATION=FILE [MODEL=FILE.safetensors]" >&2; exit 2
else
	$(VENV) -m USGanSimLib demo --recording "$(RECORDING)" \
	    $(if $(CALIBRATION),--calibration "$(CALIBRATION)") $(if $(MODEL),--model "$(MODEL)")
endif

test: .venv/ready
	$(VENV) -m pytest

check: .venv/ready
	$(VENV) -m ruff check .
	$(VENV) -m mypy
	$(VENV) -m pytest

slow: .venv/ready
	$(VENV) -m pytest -m slow

bench: .venv/ready
ifndef MODEL
	@echo "make bench: name a model: make bench MODEL=FILE.safetensors" >&2; exit 2
else
	$(VENV) -m USGanSimLib bench "$(MODEL)"
endif

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache

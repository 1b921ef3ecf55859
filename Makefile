# make demo RECORDING=… CALIBRATION=… [MODEL=…]   make test   make check   make bench [MODEL=…]   make slow   make venv
# Needs Python 3.10 or newer (with venv) and make; everything else goes into .venv. Without make: see README.md.

PYTHON ?= python3
VENV = .venv/bin/python

# Many small networks: threads of torch would only wait for each other.
test check slow: export OMP_NUM_THREADS = 1

.PHONY: demo test check bench slow venv clean

venv: .venv/ready

.venv/ready: pyproject.toml constraints.txt setup_venv.py
	$(PYTHON) setup_venv.py

demo: .venv/ready
	$(VENV) -m USGanSimLib demo $(if $(RECORDING),--recording "$(RECORDING)") \
	    $(if $(CALIBRATION),--calibration "$(CALIBRATION)") $(if $(MODEL),--model "$(MODEL)")

test: .venv/ready
	$(VENV) -m pytest

check: .venv/ready
	$(VENV) -m ruff check .
	$(VENV) -m mypy
	$(VENV) -m pytest

slow: .venv/ready
	$(VENV) -m pytest -m slow

bench: .venv/ready
	$(VENV) -m USGanSimLib bench $(if $(MODEL),"$(MODEL)")

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache

"""How good is a model: predictors side by side on held-out frames, what is measured, and the report of it.

Arrows between its rooms go one way: predictors ← measures ← observer ← study ← report. A predictor turns the index
of a frame into images (predictors/baselines.py lists those of no model). A measure turns those into numbers under fixed
keys, a control asks for images of its own; both are in measures/, and in observer/ where a trained network looks.
study/suite.py lists what is measured, study/comparison.py runs every predictor through it, study/crossval.py and
report/exclusion_curve.py do so again with other training frames; report/page.py writes a table for each.
"""

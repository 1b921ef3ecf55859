"""How good is a model: predictors side by side on held-out frames, what is measured, and the report of it.

A predictor (predictors.py) turns the index of a frame into images. A measure (metrics.py) turns those into numbers
under fixed keys. `comparison.compare` runs every predictor through every measure; report.py writes a table a measure.
"""

"""How good is a model: predictors side by side on held-out frames, what is measured, and the report of it.

A predictor (predictors.py, volume.py, speckle_layer.py; baselines.py lists them) turns the index of a frame into
images. A measure (metrics.py, speckle.py) turns those into numbers under fixed keys; a control (controls.py,
geometry_control.py, same_pose.py, video.py) asks for images of its own. suite.py lists what is measured,
`comparison.compare` runs every predictor through it, report.py writes a table for each. exclusion_curve.py and
crossval.py do so again with other training frames.
"""

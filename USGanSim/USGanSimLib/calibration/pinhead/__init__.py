"""ImageToProbe from a pinhead: points, model and fit, what is uncertain, checks and a verdict. Core ring."""

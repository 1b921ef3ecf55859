"""ImageToProbe from a pinhead: points → model → fit and its uncertainty → checks and quality → verdict. Core ring."""

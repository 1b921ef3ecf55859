"""The virtual phantom: a fetus with known landmarks, a probe, a physical B-mode model, freehand scanning. Core ring."""

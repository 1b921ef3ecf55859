"""The names of the recipes and what each is, in a line. The recipes themselves need torch: ml/recipes.py."""

from __future__ import annotations

RECIPE_NAMES = {
    "paper": "the GAN as the text of Hu et al. 2017 has it",
    "paper-fig1": "the same as its Fig. 1 has it",
    "paper-l2": "paper, with an L2 term beside",
    "regression": "that L2 term alone, without a discriminator: blurred, and quickly there",
    "encoded": "not in the paper: anatomy in its place after fewer iterations, then a discriminator",
    "scored": "not in the paper, and no GAN: sharp anatomy after minutes of a CPU, speckle and its variety soon after",
}

"""Measures that take a trained observer: landmarks, distribution, told from real; and its training."""

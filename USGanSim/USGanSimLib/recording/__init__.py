"""Tracked recordings: what a sweep is, the PLUS file formats, and training sets made of sweeps. Core ring."""

"""Sections of the module USGanSim's panel."""

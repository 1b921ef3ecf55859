"""Tabs of the module USGanTraining's panel."""

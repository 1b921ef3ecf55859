"""USGanSimLib: simulated freehand ultrasound from a spatially-conditioned GAN, with and without 3D Slicer.

Rings, inner to outer: core (`geometry`, `recording`, `calibration`, `link`, `live`; numpy and scipy alone),
`ml` and `evaluation` (torch), `mrml` (slicer, vtk), and the command line. What may import what is held by
`Testing/Python/static/test_import_table.py`.
"""

__version__ = "0.1.0"

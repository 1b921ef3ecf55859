"""A stand-in for desktop Slicer: runs its scripted modules with a panel, without the application.

What is real: MRML with its logics and displayable managers (slicer-core, from PyPI); Slicer's own Python files
(modules, parameter nodes, `slicer.util`), from a checkout of its public source that SLICER_SOURCE names; Qt (PySide6).
What stands in: PythonQt's manners (`pythonqt`, `properties`, `connections`, `dialogs`, `ui_files`), the widgets of CTK
and MRML that our panels use (`ctk_widgets`, `node_selector`, `module_widget`), views and layouts, the application.
Nothing here is code of Slicer, CTK or PythonQt. `boot` makes the one stand-in of a process.
"""

from .process import StandIn, boot, source_version

__all__ = ["StandIn", "boot", "source_version"]

"""The live path on MRML. Every function takes the scene as an argument: there is no global scene outside Slicer.

A plain script must keep scenes, nodes and views inside functions: VTK objects that are still alive as globals when the
interpreter ends can crash it.
"""

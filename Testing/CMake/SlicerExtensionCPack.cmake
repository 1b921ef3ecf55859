# Slicer makes the extension's package here; there is nothing to check in that without Slicer.

"""The live path without Slicer's application, for the demo and the bench. Slicer loads none of it."""

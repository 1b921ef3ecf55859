"""The live image in the scene: pose to image, what stands around it, and what moves a probe without a tracker."""

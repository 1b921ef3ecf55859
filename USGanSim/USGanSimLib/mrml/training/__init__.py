"""The scene's side of calibration, training and reading studies."""

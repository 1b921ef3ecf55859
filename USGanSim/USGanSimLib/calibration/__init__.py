"""The calibration of a probe: where the image lies in the probe's frame. Core ring."""

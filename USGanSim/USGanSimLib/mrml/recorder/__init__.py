"""Tracked recordings made in the scene: image, poses and time stamps kept together."""

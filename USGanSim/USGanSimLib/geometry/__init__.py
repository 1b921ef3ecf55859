"""Where pixels are: named transforms, image geometry, conditioning grids, distances between poses. Core ring."""

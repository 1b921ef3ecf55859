"""The lag between images and poses, from what a moved probe sees. Core ring."""

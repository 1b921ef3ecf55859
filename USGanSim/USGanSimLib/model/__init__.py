"""What a model and its training are, without torch: facts of a model file, and the folder of a run. Core ring."""

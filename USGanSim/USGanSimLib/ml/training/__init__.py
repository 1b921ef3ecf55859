"""A training set to a model: batches, the loop, what it writes, and how it goes on after an end."""

"""What turns the index of a frame into images: models, and the baselines that they are held against."""

"""Real or simulated: observers of several kinds, the best of them, and what it can see."""

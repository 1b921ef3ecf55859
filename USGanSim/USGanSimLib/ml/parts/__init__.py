"""What generators of several kinds are built of."""

"""No tracker? A probe moved by hand, along the trained sweep, or by a recording."""

"""The tab Record: sweeps into a session, with what they cover."""

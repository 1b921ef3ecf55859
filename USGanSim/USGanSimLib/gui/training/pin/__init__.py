"""The tab Calibrate, first part: a pinhead recorded, marked, fitted and judged."""

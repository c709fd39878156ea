"""Ratios to peers and to plain copies, from one interleaved run: ``make bench``."""

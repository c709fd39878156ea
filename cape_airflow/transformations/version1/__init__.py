"""Cape's transformations under their old names: the same output for the same input, without the bugs.

Bit-exact with the pandas side of Cape Python 0.3: tokens, encryption, rounding and seeded noise. New policies better
use the techniques of version 2.
"""

"""Databases that SQLAlchemy knows: rows of Python values, in one transaction."""

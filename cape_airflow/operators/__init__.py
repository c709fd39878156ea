"""Operators: bring an approved policy and data together."""

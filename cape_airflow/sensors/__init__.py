"""Sensors: wait until a policy is approved."""

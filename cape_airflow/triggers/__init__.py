"""Triggers: the asynchronous side of the sensors."""

"""Notifiers: who is told of what waits for people."""

"""Plugins: what runs inside the API server."""

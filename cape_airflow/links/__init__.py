"""Links: from a task in the UI to what the coordinator knows of it."""

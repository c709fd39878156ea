"""Links from tasks to where more is seen of them."""

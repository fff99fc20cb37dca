"""Training: data, objectives, phases and the one loop that runs them."""

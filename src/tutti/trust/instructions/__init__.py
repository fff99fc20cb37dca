"""Instructions in media: what addresses the model is found, flagged and kept as data."""

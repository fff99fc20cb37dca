"""How things look in photographs: told from their ground, under corrected light, as colours, pattern and finish."""

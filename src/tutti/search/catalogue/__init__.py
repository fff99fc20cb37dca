"""A shop's catalogue: feeds read row by row, prices with currencies, variants grouped, and what is asked of it."""

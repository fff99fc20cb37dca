"""A dialogue about a catalogue: turns read as wishes, wishes kept over turns, products sifted and ranked by them."""

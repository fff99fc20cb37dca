"""What hosted models cost: price book, tokens of media by published rules, tariff, queries, months of machines."""

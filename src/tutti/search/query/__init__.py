"""From a query to hits: candidates by vector and by full text, and one ranking of them."""

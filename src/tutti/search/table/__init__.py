"""The database: where it lies, its rows and columns, its indexes, conditions on it, and deletion from it."""

"""Clients that nobody here wrote, unmodified, against a server of this project."""

"""Checks on what goes in and out: reading text, privacy, fairness, provenance."""

"""Audits of a model for differences between groups of people: figures, thresholds, and counterfactuals."""

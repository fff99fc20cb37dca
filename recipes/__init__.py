"""Recipes: what trains the models that ship."""

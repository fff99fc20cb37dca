"""Evaluation on one's own examples: suites, metrics, statistics, cost, choice, report."""

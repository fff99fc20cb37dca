"""What clinical texts state, rule by rule, where sources contradict one another, and who signed what."""

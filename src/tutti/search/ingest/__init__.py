"""From files and feeds to rows: what is there, what can be found in it, and the run that writes it."""

"""Commands, one file each, behind a lazy table; argument parsing, printing, exit codes, and no logic."""

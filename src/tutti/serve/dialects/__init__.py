"""The dialects of the server: what each makes of a request, and how it writes the answer; a file a dialect."""

"""Whisper: hears 30 seconds at a time and writes down what was said."""

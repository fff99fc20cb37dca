"""Trunks for text, image, audio and video, one shared space, one decoder."""

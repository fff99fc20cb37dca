"""Idefics, an open Flamingo: words look at the picture before them through gated cross-attention."""

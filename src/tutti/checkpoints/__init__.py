"""Folders in the Hugging Face layout: inspect (header only), load, save, families."""

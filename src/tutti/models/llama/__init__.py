"""LLaMA-type decoder, named as its Hugging Face checkpoint."""

"""LLaVA-NeXT: LLaVA that sees a picture whole and in tiles, named as its Hugging Face checkpoint."""

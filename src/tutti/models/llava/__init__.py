"""LLaVA-1.5: a picture tower, a two-layer projector and a decoder, named as their Hugging Face checkpoint."""

"""CLIP: a text tower and a picture tower that share a space, named as their Hugging Face checkpoint."""

"""Idefics3 and SmolVLM: tiles of pictures through a SigLIP-type tower, named as their Hugging Face checkpoints."""

"""Llama-3.2-Vision: a tiled picture tower that a LLaMA decoder looks at by cross-attention."""

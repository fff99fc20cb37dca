"""What trains tutti-mini: the packs, the generator of scenes, the phases, and the table of its model card."""

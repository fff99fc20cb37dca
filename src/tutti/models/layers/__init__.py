"""Leaves that families share: attention, rotary positions, norms, MLP, patch and conv stems."""

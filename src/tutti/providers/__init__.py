"""Models behind one interface: content in, content out."""

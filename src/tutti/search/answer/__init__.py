"""From hits to what people read: moments, answers with sources, and a page of results."""

"""Wav2Vec2: hears a recording as it is and spells it, letter by letter."""

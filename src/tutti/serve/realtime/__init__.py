"""The WebSocket `/v1/realtime`: speech, pictures and words in as they come, transcripts and answers out."""

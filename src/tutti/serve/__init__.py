"""The HTTP server in the OpenAI dialect, with streaming and limits, for any Responder, Embedder or Transcriber."""

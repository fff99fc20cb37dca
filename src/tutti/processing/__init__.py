"""Arrays and messages to model inputs: resize, normalize, log-mel, tokenizer, chat, placeholders."""

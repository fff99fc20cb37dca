"""From a trunk's features to the decoder's tokens: linear, MLP, resampler."""

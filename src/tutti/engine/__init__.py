"""Generation at speed: sequence, blocks, scheduler, runner, engine, sampling, embedding cache."""

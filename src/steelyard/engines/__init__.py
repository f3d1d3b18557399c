"""How a model runs: one protocol, one backend a file."""

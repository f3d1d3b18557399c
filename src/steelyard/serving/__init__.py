"""Runs what was measured: an OpenAI-compatible server, a gateway and the launch lines of the GPU servers."""

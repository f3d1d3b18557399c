"""How SGLang and vLLM are started for a model, exactly, and started so."""

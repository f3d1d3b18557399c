"""The same API in front of other servers: SGLang, vLLM, TEI, Ollama, hosted ones."""

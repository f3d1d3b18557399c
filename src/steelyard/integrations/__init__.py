"""An index, its models and its rerankers inside LangChain, LlamaIndex and any client of the Model Context Protocol."""

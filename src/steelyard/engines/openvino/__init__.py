"""OpenVINO: BERT, XLM-R and Qwen3 run with weights in int8, without torch and without transformers.

The graph is written in OpenVINO's own operations from ``config.json`` and ``model.safetensors``; nothing is exported or
traced. OpenVINO is imported when the first text is encoded.
"""

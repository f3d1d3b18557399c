"""Weighs, diagnoses and serves semantic search over Chinese and multilingual texts."""

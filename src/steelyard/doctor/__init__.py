"""Holds a model's folder or a server against its recipe, and says in plain words what is wrong."""

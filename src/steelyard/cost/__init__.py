"""What a system costs: time, memory, storage, money; measured on callables, never on an engine that it knows."""

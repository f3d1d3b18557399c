"""Results that other tools made, read as results to be judged."""

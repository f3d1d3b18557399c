"""Which system to take: metadata, scenarios, recommendations, and claims tested on your own texts."""

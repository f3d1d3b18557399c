"""What is weighed on: queries, documents, judgements, and the trap annotations where there are any."""

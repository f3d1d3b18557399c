"""What an index keeps of a document for each way of recalling it: words, vectors, token weights, token vectors."""

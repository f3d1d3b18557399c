"""What is asked of other people's servers, and what they answer: embeddings, rerankings, lists of models.

Pure functions over JSON values; nothing here opens a connection. The engine that asks an endpoint, the gateway and the
doctor read answers here, so all three accept the same servers. What OUR server takes and answers: ``serving/wire``.
"""

"""What is built once and searched often: documents, vectors and postings in one folder, safe under ``kill -9``.

An index is made for one system expression, and its rankings are those of that system on the same documents.
"""

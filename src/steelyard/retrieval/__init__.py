"""From texts to rankings: lexical and dense recall, fusion, reranking, and the expression that names them."""

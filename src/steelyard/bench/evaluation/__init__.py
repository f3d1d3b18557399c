"""Systems run over suites: the runner, its caches, the result document and what is judged from it."""

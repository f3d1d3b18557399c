"""What a model is: recipes, the catalogue of known ones, and where their files come from."""

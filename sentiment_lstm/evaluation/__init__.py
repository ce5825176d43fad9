"""How good a model is, as numbers and as pictures."""

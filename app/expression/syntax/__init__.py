"""How each construct of the language becomes Python: one module for each family."""

"""What is said: the generated messages, one module a domain of schemas/.

Owns nothing by hand: `make schemas` writes every file here. Imports nothing of the project;
everything else may import it.
"""

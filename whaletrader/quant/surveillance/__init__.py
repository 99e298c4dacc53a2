"""Who is who, and whose volume or orders are not what they seem.

`clusters` needs scikit-learn and `wash` networkx; no agent's own room imports those two.
"""

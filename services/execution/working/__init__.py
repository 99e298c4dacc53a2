"""How an approved trade is worked: which tactic, which orders, and what came of it. Pure.

Every function here is a value of its arguments; the agent reads books and clocks for it.
"""

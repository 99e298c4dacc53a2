"""All agents in one process, over a log in memory, under faults that a seed decides.

Run it with `python -m tests.simulation --seed 7 --steps 100000`. Start reading at world.py.
"""

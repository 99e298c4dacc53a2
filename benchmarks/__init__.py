"""What is measured, each figure beside a floor taken in the same run.

`python -m benchmarks [--only NAME ...] [--quick]`, or `make bench`. A floor is the same work done
by plain drivers without our code: as many transactions, with the same durability, on the same
servers, in as many processes. Blocks of both alternate, so that a drift of the machine meets both.
"""

"""The floors: the same number of hops by plain drivers, without a line of our runtime."""

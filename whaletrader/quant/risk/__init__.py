"""Measures of risk: how much can be lost, how surely, what it hangs on. numpy and scipy only."""

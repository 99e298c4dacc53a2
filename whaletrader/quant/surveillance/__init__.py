"""Whose volume or orders are not what they seem. numpy and scipy only."""

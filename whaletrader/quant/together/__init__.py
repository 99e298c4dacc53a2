"""What moves together and who trades alike. numpy and scipy only."""

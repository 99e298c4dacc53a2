"""`python -m whaletrader`: the same as the `whaletrader` command."""

from whaletrader.cli import main

if __name__ == "__main__":
    main()

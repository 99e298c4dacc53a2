"""Agent: sizes, approves, vetoes, halts. It has the last word on every trade."""

"""State to text: pure functions."""

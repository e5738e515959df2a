"""The loops over the steps."""

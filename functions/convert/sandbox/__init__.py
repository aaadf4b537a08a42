"""Runs what parses a stranger's bytes in a child that can do nothing but compute, read ranges and send messages."""

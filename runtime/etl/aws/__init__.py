"""Clients of AWS, their waits and their repetitions."""

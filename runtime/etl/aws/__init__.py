"""Clients of AWS, and how they wait and try again."""

"""The checks of `etl doctor`."""

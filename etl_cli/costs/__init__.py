"""What a run takes, in time and in units, and what that costs."""

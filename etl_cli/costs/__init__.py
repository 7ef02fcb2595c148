"""The time, the units and the dollars that a run takes."""

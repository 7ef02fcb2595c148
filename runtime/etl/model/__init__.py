"""The pure rules: runs, stages, counts, windows, errors and remedies. They don't call AWS."""

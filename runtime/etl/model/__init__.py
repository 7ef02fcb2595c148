"""The pure parts: runs, windows, errors, counts. They use nothing of AWS."""

"""The bucket between the stages: keys, seals, quarantine, and streams of records."""

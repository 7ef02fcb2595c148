"""The bucket between the stages: keys, objects with seals, quarantine, batches of records."""

"""Makes the embedded AWS (ministack) behave as AWS does, where the pipeline depends on it."""

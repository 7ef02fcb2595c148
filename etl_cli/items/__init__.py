"""Items: in quarantine, through your transformation, explained, made up."""

"""Controllers of what is written in the prompt."""

"""Load a base model and encode prompts and images with it."""

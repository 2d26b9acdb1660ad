"""Complete the phrases that a base model knows, and mark the words that it does not."""

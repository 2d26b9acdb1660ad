"""Prompt text: class nouns, expansion of @names, weights in parentheses, captions, variations."""

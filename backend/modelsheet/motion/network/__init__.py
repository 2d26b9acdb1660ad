"""Define the network that redraws a character in another pose, and read its weights."""

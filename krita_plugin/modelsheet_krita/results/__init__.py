"""Results: generated images, the documents they belong to, and what can be done with them."""

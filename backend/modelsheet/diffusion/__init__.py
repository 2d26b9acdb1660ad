"""The only room with a GPU: base models, learning a subject, painting it."""

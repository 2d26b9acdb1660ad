"""Generate images of subjects from a request."""

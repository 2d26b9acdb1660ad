"""Results: fetch, keep, show, save and apply generated images."""

"""The durable job queue: store, events, admission, publication of results."""

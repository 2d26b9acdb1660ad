"""The durable job queue: store, commands, events, admission, publication of results."""

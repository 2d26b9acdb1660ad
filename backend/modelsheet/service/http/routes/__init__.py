"""The operations of the HTTP API by resource: each handler beside its row of the table."""

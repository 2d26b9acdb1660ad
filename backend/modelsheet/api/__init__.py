"""Models of the HTTP API: requests, views and results, one module a resource."""

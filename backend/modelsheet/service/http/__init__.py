"""The HTTP server: Flask application, access control, errors, OpenAPI."""

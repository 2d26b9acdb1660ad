"""Limits of a request's size, in bytes; GET /v1/capabilities tells them to clients."""

MAX_JSON_BYTES = 256 << 10
MAX_BODY_BYTES = 64 << 20  # a layer of 4096 x 4096

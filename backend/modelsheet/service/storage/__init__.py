"""Blobs by hash, and the disk space kept in reserve."""

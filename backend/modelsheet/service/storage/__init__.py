"""Blobs by hash, and a ballast file for a full disk."""

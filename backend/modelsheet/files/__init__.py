"""Readers and writers of file formats that carry no code: safetensors, ZIP, checksum manifests."""

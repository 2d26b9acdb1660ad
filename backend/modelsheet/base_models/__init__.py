"""Base models on this machine: catalogue, files, added models, and downloads."""

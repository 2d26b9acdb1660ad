"""Learnt subjects: folders on disk, subject archives, import and export of LoRA files."""

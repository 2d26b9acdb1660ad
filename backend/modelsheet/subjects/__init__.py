"""Learnt subjects: their folders, their archives, and their exchange with LoRA files."""

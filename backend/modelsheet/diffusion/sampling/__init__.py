"""Samplers and the denoising loop."""

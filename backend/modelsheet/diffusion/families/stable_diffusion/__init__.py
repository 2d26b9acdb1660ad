"""Stable Diffusion: sprite32, SD 1.5 and SDXL."""

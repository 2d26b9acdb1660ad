"""Train sprite32, the embedded base model: a small Stable Diffusion for 32 × 32 game sprites."""

"""FLUX.2 klein: a transformer on packed latents, conditioned by a language model."""

"""LoRA files of other programs, in and out, in kohya's and diffusers' names. No torch."""

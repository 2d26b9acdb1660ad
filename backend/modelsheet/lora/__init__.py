"""Read and write LoRA files in kohya's and diffusers' formats, without torch."""

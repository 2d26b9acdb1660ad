"""Learn a subject: DreamBooth with LoRA."""

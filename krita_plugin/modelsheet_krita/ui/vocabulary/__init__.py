"""What a base model understands of a prompt: completion of its phrases, marks of other words."""

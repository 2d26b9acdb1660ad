"""Load exported LoRA files by the code of other programs, and compare what they make of them."""

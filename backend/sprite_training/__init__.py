"""Train the embedded base models from open sprite art. Not part of the product package."""

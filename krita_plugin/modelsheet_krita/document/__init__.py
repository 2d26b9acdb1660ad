"""Read and write Krita's layers."""

"""Read layers of Krita's open document as images and write results into it."""

"""A trained model on disk, and its answers."""

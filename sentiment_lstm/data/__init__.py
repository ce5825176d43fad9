"""Reviews in, padded batches of token ids out."""

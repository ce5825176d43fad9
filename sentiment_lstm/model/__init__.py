"""The network: embedding -> [conv + max-pool] -> recurrent layers -> pooling -> linear."""

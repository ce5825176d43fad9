"""Forward, loss, backward, clip, step: the loop and the machine it runs on."""

"""Networks and what they learn with: architectures, codecs, losses, optimizers."""

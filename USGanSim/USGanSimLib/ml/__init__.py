"""Networks, training, model files and the renderer. The only ring but `evaluation` that imports torch."""

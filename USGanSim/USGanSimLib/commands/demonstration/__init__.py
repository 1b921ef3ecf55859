"""What `demo` is made of: the live path on a recording, and the whole journey from nothing."""

"""Which tracks are read, and where they go on; their packets and decoded frames."""

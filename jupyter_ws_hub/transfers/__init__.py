"""Large files on their way: operations, their partial files, digests, and the two streams. No socket, no service."""

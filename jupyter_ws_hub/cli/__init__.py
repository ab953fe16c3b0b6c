"""`jupyter ws-hub …`: a client of the server over its public protocols. It knows the protocol layer only."""

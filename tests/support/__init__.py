"""What tests share: real servers, a client, fakes with hooks."""

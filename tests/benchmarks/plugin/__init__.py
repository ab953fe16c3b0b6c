"""What the benchmarks put into the server under test: a service, found by its entry point like anybody's."""

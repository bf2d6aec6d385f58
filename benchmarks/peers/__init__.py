"""Side by side with peers, and their own test suites run against us."""

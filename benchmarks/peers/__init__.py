"""Other libraries: their tests with our layers in place, and their speed beside ours."""

"""Side-by-side measurements of the recurrent engine."""

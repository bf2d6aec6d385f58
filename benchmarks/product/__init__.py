"""What the product itself costs: import time, sizes, memory, and whether a resume is exact."""

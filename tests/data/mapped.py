"""Whether values lie on disk."""

import mmap


def on_disk(values) -> bool:
    """Tell whether the memory of an array is that of a file."""
    while values is not None and not isinstance(values, mmap.mmap):
        values = values.obj if isinstance(values, memoryview) else getattr(values, "base", None)
    return values is not None

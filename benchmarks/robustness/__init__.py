"""Does the native core stay right, whatever it is given, and however long."""

"""The stack whose preview is measured: its program, its record, and what it is compared with."""

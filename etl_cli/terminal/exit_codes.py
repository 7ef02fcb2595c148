"""Exit codes with the same meaning for every verb."""

EXIT_FAILED = 1
# EX_IOERR of sysexits.h; the others are a shell's codes for a program that a signal ended.
EXIT_UNWRITABLE, EXIT_INTERRUPTED, EXIT_READER_GONE = 74, 130, 141

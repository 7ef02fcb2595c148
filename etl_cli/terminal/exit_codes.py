"""Exit codes that mean the same for every command."""

EXIT_FAILED = 1
# As sysexits.h has it (EX_IOERR); the others as a shell reports a program that a signal ended.
EXIT_UNWRITABLE, EXIT_INTERRUPTED, EXIT_READER_GONE = 74, 130, 141

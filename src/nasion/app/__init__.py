"""The command line, the server, and what they share."""

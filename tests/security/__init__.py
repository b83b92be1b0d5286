"""One attempt for each claim of SECURITY.md, named after the rows of the threat catalogue, judged by the oracle."""

"""What the API answers, described for its document. The answers themselves are made by each noun's `view()`."""

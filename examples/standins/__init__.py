"""Stand-ins for api.openai.com, api.github.com and github.com: real TLS servers for machines without internet."""

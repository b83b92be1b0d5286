"""Runs the walkthrough against the stand-ins (or the real services) and proves from outside what it claims."""

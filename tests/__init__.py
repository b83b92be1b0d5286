"""Tests that need more than one component."""

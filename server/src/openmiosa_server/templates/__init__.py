"""What a sandbox's read-only file system is made of: the host's /usr and layers above it."""

from .store import Template, TemplateStore

__all__ = ["Template", "TemplateStore"]

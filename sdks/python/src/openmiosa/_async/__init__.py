"""The asynchronous client. `_sync` beside it is generated from these files by `tools/async_to_sync.py`."""

"""The HTTP edge: one router per noun, thin; may import services, identity and errors."""

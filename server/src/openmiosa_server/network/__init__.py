"""The network of sandboxes: stored policies and rules, lockdown, observe, suggestions, pending."""

from .service import Network
from .types import AddRule, NewPolicy, Observed, Policy, PolicyChange, Rule

__all__ = ["AddRule", "Network", "NewPolicy", "Observed", "Policy", "PolicyChange", "Rule"]

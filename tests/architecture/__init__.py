"""What holds the tree together: laws, budgets, maps."""

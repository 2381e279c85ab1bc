"""The stack's settings: models, their rules, and the one loader of them."""

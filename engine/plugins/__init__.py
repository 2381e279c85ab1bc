"""Drop-in Pulumi resource plugins for closed networks: same types and schema as the official ones."""

"""How the Pulumi CLI, its plugins, Python packages and a Docker engine come to this machine."""

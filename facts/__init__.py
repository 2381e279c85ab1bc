"""What is on the machines: read-only observation, the last applied state, and their comparison."""

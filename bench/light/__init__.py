"""Light hosts: a root, a network and an OpenSSH server each, in one namespace that ends with the bench."""

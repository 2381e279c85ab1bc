"""What others take to look at the same facts: Ansible's check mode and pyinfra's dry run."""

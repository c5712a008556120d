"""The commands of a shell: what each takes, does and prints."""

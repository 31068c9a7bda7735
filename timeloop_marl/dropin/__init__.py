"""Drop-in replacements of timeloop-model and timeloop-mapper: same arguments, files, screen lines and exit codes."""

"""What the words cost (sections 11 to 15 of docs/model.md): checks, cycles, energies, statistics, outcomes."""

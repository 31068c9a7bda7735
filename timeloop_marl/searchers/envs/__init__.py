"""The mapping problem as an environment, for other people's reinforcement-learning libraries."""

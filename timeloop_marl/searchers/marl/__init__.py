"""The decentralised team of reinforcement-learning agents."""

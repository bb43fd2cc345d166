"""Faust application, agents, pure transforms and the declared flows."""

"""What can be asked about a bot from outside: its node, its positions, its readiness. Never the engine."""

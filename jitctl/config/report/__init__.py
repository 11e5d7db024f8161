"""A judgement in the formats that other programs read: GitHub's workflow commands, SARIF and JUnit."""

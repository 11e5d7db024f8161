"""`jitctl preflight`: every named check that a bot should pass before it is started."""

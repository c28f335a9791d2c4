"""From a request to an environment: warm, cold, and everything a session's environment goes through."""

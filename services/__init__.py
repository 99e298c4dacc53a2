"""Who acts: one folder an agent, one agent a container. A service never imports another."""

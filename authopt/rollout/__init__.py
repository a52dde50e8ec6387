"""How a new policy earns its traffic: a small share of it first, then the gate, then all."""

# The guest's own package; the name is private so that it cannot stand in the way of an agent's module.

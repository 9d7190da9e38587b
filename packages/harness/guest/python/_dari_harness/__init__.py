# The guest's own package. Its name is private, so that it cannot collide with an agent's module.

"""Pieces of the two modules' panels; imported by the module scripts alone."""

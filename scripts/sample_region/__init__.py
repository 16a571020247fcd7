"""The imaginary region of `resources/sample`: terrain, people, units and factors, each made in a module of its own."""

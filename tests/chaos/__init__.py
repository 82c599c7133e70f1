"""The chaos suite: real servers are killed, starved and lied to, and every run is accounted for."""

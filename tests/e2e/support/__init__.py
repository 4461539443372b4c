"""What the end-to-end tests stand on: a server on a fresh state folder, a strict raw client, real programs around it."""

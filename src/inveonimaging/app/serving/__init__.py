"""The server: the guard before every page, connections, and the window that shows them."""

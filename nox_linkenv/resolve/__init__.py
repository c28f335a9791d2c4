"""Resolution: what pip would install, asked of pip itself."""

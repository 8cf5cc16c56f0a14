"""One machine without our cluster: the package of the model server for it, and a real Debian here to try it on."""

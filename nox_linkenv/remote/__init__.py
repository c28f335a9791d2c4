"""A store that several machines share: signed archives of single entries, in an object store."""

"""Pure transformations: join, map, derive, convert, validate, route. No I/O of any kind."""

"""Pure torch modules, a folder a family; no I/O, no sampling, no losses."""

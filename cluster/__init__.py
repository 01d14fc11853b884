"""Programs that do the same work on many machines; Dask hands it out."""

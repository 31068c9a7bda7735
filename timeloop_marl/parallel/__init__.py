"""All parallel work: joblib on this machine's threads or processes, or on a Dask or Ray cluster."""

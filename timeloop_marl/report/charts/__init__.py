"""The pictures of the report, each a function of data and width: narrow ones are for phones."""

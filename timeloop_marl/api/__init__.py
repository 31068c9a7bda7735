"""What the package can do, as functions of Python: they run, judge and write; the command line only calls them."""

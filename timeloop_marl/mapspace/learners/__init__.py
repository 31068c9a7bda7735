"""Kernels and tables behind the learners' view (``mapspace.axes``)."""

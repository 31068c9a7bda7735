"""Traffic of nests with residuals (section 6): exact, by classes of visits or visit by visit."""

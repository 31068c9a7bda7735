"""Results as Timeloop writes them (stats.txt, map.txt, map.yaml, tensella), as terminal tables and as pictures."""

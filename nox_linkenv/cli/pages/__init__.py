"""The page that ``linkenv report`` writes: drawings in SVG, and what stands around them."""

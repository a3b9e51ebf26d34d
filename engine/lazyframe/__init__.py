"""Plan to Polars: each module takes one part of a resolved plan to a lazy frame or expression, and none executes."""

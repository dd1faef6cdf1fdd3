"""A call in progress: where deciding and doing meet."""

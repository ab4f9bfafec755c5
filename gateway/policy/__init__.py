"""What each contact may see: pure functions over the model; no input, no output, no clock."""

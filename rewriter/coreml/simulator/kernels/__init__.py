"""What each MIL operator computes, one module for each family of operators."""

"""Mutation testing of the policy and of what writes fields."""

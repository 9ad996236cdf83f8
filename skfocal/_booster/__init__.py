"""What all boosters share: arguments, metrics, settings in saved models (floor 4)."""

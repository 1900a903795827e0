"""What may keep an order from being sent: one rule per file, all of them in `chain`."""

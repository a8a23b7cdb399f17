"""What this installation runs with: its settings, its versions, what it keeps."""

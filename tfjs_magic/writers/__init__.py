"""From the model in memory to what others read: model.json, a directory, a summary."""

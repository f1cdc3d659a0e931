"""Films: read frame by frame, followed face by face, and written."""

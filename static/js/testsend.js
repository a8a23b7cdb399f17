// Test send: the keyboard builder, the preview and the upload's progress.

"""What requests and responses look like over HTTP, a file a dialect: values alone."""

"""ImageBind: six trunks that share a space, named as the official checkpoint."""

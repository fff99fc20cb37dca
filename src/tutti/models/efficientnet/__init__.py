"""EfficientNet-Lite: an ImageNet trunk of plain convolutions, named as its published checkpoint."""

"""What a landmark is: schemes, labelled faces, geometry, metrics. Needs only NumPy and Pillow."""

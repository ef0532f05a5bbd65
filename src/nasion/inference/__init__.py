"""Trained networks at work: crops, prediction, landmarks on images and video, export."""

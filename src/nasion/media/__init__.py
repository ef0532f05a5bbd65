"""Images, video and files in and out."""

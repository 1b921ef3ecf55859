"""What turns images into numbers under fixed keys: measures, and controls that ask for images of their own."""

"""One command makes an estate of 100,000 devices and measures nine shapes of questions, and more, against its peers."""

"""What scripts say of themselves: the inputs they take and the outputs they write, found in their text."""

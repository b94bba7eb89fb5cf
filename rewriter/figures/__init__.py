"""Pictures for documents: where segmentations part, and which pixels each implementation samples."""

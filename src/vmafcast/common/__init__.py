"""What every room stands on: errors, atomic files, documents, provenance and progress."""

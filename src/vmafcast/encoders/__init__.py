"""An encoder as data, and the vocabularies a model may know it by."""

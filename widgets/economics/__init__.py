"""The page that shows what context costs: memory against context, model beside model."""

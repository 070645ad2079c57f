"""Documents page by page: what stands on a page, and where a citation points."""

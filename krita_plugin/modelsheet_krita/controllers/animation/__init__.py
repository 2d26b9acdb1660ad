"""Controllers of model sheets: from drawings to key views, animations and files."""

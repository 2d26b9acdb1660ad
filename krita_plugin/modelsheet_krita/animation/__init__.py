"""Model sheets: from drawings to key views, animations and files."""

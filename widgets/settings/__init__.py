"""Forms generated from the settings' declarations: an editor per kind, a row, a searchable form."""

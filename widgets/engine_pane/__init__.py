"""The right pane: model, device plan, speed and settings. Views only."""

"""What a setting would take, before anything is loaded: plans, rules, fits and economics."""

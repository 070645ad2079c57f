"""Speed measured side by side: what is timed, who takes turns, what the figures say."""

"""HTML reports and plots from plain values."""

"""HTML reports and plots from plain values.

Import it where a report is written, not when QGIS starts: matplotlib takes its time to load.
"""

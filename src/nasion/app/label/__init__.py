"""``nasion label``: a page on which labels are corrected and drawn. Built with FastAPI.

Labels are only read; every change is a line in a change list beside them (``data/corrections``).
"""

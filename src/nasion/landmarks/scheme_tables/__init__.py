"""Tables of published schemes, one file each; ``landmarks.catalog`` lists them all.

A name of the catalog's vocabulary stands only where the places agree. Measured on each dataset's
faces against the network ``face68``: a shared name is off by less than 2.5 % of the distance of the
outer eye corners, after the mean offset of all points is taken off. Other points have names of
their own, which begin with the dataset's (``fgnet_jaw_right_2``).
"""

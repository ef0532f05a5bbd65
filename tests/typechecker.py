"""beartype with whole numbers taken where floats are meant, as Python's own numeric tower has it
(PEP 484).
"""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))

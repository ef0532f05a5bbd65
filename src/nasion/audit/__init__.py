"""Which labels are wrong, by networks that have not seen the faces."""

"""Tables of the codes of payment service providers, one CSV each."""

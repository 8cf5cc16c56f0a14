"""`leeway-verify`: proves on a live cluster that every metric in use exists and that every alert reaches a person."""

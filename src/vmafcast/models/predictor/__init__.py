"""Encode predictors: what an encode will look like and weigh, before it is made."""

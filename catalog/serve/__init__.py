"""The doors through which data leave: each knows who may see what, none knows the lake."""

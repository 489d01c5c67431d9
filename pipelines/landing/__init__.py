"""Landing: source rows become typed rows in `raw` or original rows in `quarantine`, in one transaction.

`batch` is what a connector hands over, `stage` casts and checks it in one pass, `commit` writes it,
`tables` keeps the lake's tables in step with the contracts, `land` runs one data set from end to end.
"""

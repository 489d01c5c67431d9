"""Transport only: each connector brings the rows of one data set as batches and knows nothing of contracts' rules."""
